// Formatting of numbers, times and addresses, for people and for shells.

const GAP = "\u00a0"; // no-break space, which keeps a number and its unit on one line
// Some languages and composed emoji need joiners. Beside ASCII they have no meaning.
const JOINER = "(?<=[^\\0-\\x7f\\u200c\\u200d])[\\u200c\\u200d](?=[^\\0-\\x7f\\u200c\\u200d])";
const HIDDEN = new RegExp(
  `(?!${JOINER})[\\p{Cf}\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u2800\\u3164\\uffa0]`,
  "gu",
);
const TOKEN_HEADER = '-H "Authorization: Bearer $TOKEN" ';

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [number, power] = [bytes, 0];
  while (number >= 999.5 && power < units.length - 1) [number, power] = [number / 1000, power + 1];
  return `${number.toFixed(power && number < 99.95 ? 1 : 0)}${GAP}${units[power]}`;
}

export function duration(seconds) {
  if (seconds < 59.5) return `${Math.ceil(seconds)}${GAP}s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes}${GAP}min` : `${Math.floor(minutes / 60)}${GAP}h${GAP}${minutes % 60}${GAP}min`;
}

/** Formats a time in the user's locale and time zone. */
export function dateAndTime(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Describes the state of an upload. */
export function progress({ state, reason, sent, file, bytesPerSecond }) {
  const amount = `${size(sent)} of ${size(file.size)}`;
  if (state === "paused") return `${amount} · ${reason}`;
  if (state === "failed") return `Not uploaded: ${reason}`;
  if (state === "stored") return `Stored · ${size(file.size)}`;
  if (state === "waiting") return `Waiting · ${size(file.size)}`;
  const left = bytesPerSecond && duration((file.size - sent) / bytesPerSecond);
  return left ? `${amount} · ${size(bytesPerSecond)}/s · ${left} left` : amount;
}

/** Describes when a file expires; empty if it does not. */
export function limits({ expires, downloads_left: left }) {
  const ends = expires ? [`until ${dateAndTime(expires)}`] : [];
  return [...ends, ...(left == null ? [] : [left === 1 ? "1 download left" : `${left} downloads left`])].join(", ");
}

/** Returns a name as people can read it: what is invisible or changes the direction of text is shown as [U+202E]. */
export function visible(name) {
  return name.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `[U+${code}]`;
  });
}

/** Returns the path of a file, with everything encoded that is special to a shell or to curl's globbing. */
export function addressOf(name) {
  return `/files/${encodeURIComponent(name).replaceAll("'", "%27")}`;
}

/** Returns the command that downloads a file under its name. The token is not in it, since commands get shared. */
export function downloadCommand(origin, name, withToken) {
  return `curl -fOJ ${withToken ? TOKEN_HEADER : ""}'${origin}${addressOf(name)}'`;
}

export function uploadCommand(origin, withToken) {
  return `curl -F 'file=@NAME' ${withToken ? TOKEN_HEADER : ""}${origin}/upload`;
}

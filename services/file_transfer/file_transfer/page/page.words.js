// Numbers, times and addresses as people and shells read them.

const GAP = "\u00a0"; // no line ends between a number and its unit
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

/** A point in time as the reader's own calendar and clock have it. */
export function moment(iso) {
  return new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** How an upload is going. */
export function progress({ state, reason, sent, file, bytesPerSecond }) {
  const part = `${size(sent)} of ${size(file.size)}`;
  if (state === "paused") return `${part} · ${reason}`;
  if (state === "failed") return `Not uploaded: ${reason}`;
  if (state === "stored") return `Stored · ${size(file.size)}`;
  if (state === "waiting") return `Waiting · ${size(file.size)}`;
  const left = bytesPerSecond && duration((file.size - sent) / bytesPerSecond);
  return left ? `${part} · ${size(bytesPerSecond)}/s · ${left} left` : part;
}

/** How long a file stays, if there is an end to it. */
export function limits({ expires, downloads_left: left }) {
  const ends = expires ? [`until ${moment(expires)}`] : [];
  return [...ends, ...(left == null ? [] : [left === 1 ? "1 download left" : `${left} downloads left`])].join(", ");
}

/** The path of a file, without quotes or anything else that a shell or curl's globbing takes for more than text. */
export function addressOf(name) {
  return `/files/${encodeURIComponent(name).replaceAll("'", "%27")}`;
}

/** Downloads a file under its name. A token stays out of it: lines are pasted where others read them. */
export function downloadLine(origin, name, withToken) {
  return `curl -fOJ ${withToken ? TOKEN_HEADER : ""}'${origin}${addressOf(name)}'`;
}

export function uploadLine(origin, withToken) {
  return `curl -F 'file=@NAME' ${withToken ? TOKEN_HEADER : ""}${origin}/upload`;
}

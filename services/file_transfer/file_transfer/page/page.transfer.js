// What the page says to the server: requests with a token, and uploads by tus 1.0
// (https://tus.io/protocols/resumable-upload), of which nothing that has arrived is sent twice.

const CHUNK_BYTES = 16 * 2 ** 20; // a proxy that takes a request in whole before it passes it on has room for this
const PATIENCE_SECONDS = 60; // a connection that moves nothing for so long is dead, whatever the browser thinks
const BACK_OFF_SECONDS = [0.5, 1, 2, 4, 8, 15, 30];
const SPEED_SECONDS = 5;
const TUS = { "Tus-Resumable": "1.0.0" };

const OUT_OF_REACH = 0;
const UNAUTHORIZED = 401;
const OUTDATED = 425; // HTTP's «Too Early»
const GONE = [404, 410];
const CONFLICT = 409;
const PASSING = [OUT_OF_REACH, 408, CONFLICT, 423, OUTDATED, 429, 500, 502, 503, 504];

const REASONS = {
  [OUT_OF_REACH]: "the connection is lost",
  401: "the server wants a token",
  403: "the token does not allow this",
  404: "there is no such file any more",
  412: "the file has been replaced meanwhile",
  413: "the file is larger than the server takes",
  502: "no replica answers",
  503: "the server is busy",
  504: "no replica answers in time",
  507: "the server has no room left",
};

/** A request that did not succeed; `status` is HTTP's, or 0 if no answer came. The message is a reason in words. */
export class ServerError extends Error {
  constructor(status, reason = "", retrySeconds = 0) {
    super(reason || REASONS[status] || `the server answers with status ${status}`);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }
}

/** The bearer token, kept for as long as the tab is open. */
export const token = {
  get value() {
    return sessionStorage.getItem("token") ?? "";
  },
  set value(text) {
    if (text) sessionStorage.setItem("token", text);
    else sessionStorage.removeItem("token");
  },
};

/** The server's answer, if it is a good one; throws ServerError if not.
 *
 * Whenever the server does not take the token that the page has, the window gets an event «tokenwanted».
 */
export async function ask(method, path, headers = {}, signal = AbortSignal.timeout(1000 * PATIENCE_SECONDS)) {
  const used = token.value;
  let response;
  try {
    response = await fetch(path, { method, headers: { ...common(used), ...headers }, cache: "no-store", signal });
  } catch {
    throw new ServerError(OUT_OF_REACH);
  }
  if (response.ok) return response;
  throw refusal(used, response.status, await response.text().catch(() => ""), response.headers.get("Retry-After"));
}

/** One file on its way; `changed(upload)` is called whenever there is something new to show.
 *
 * States: waiting (for `run`), sending, paused (goes on by itself, or when woken), stored, failed, cancelled.
 */
export class Upload {
  state = "waiting";
  reason = "";
  sent = 0;
  #changed;
  #key;
  #failures = 0;
  #samples = [];
  #request = null;
  #wake = () => {};
  #ended = Promise.resolve();

  constructor(file, changed) {
    this.file = file;
    this.#changed = changed;
    this.#key = `upload of ${JSON.stringify([file.name, file.size, file.lastModified])}`;
  }

  /** What tells one file from another, also after the page was loaded anew. */
  get fingerprint() {
    return this.#key;
  }

  get bytesPerSecond() {
    const [first, last] = [this.#samples.at(0), this.#samples.at(-1)];
    return last?.time > first?.time ? (last.sent - first.sent) / (last.time - first.time) : 0;
  }

  /** Send it, however often it takes; resolves when it is stored, failed or cancelled. */
  run() {
    this.#ended = this.#run();
    return this.#ended;
  }

  /** Have it run once more after it has failed. */
  reset() {
    this.#become("waiting");
  }

  /** Go on at once if it is paused: the network is back, or there is a token. */
  wake() {
    this.#wake();
  }

  /** Stop, and have the server forget what has arrived. */
  async cancel() {
    this.#become("cancelled");
    this.#request?.abort();
    this.#wake();
    await this.#ended; // an upload that is just being created has to be known before it can be taken away
    const location = this.#location;
    this.#location = null;
    for (const seconds of location ? BACK_OFF_SECONDS : []) {
      const error = await ask("DELETE", location, TUS).then(() => null, (refusal) => refusal);
      if (!error || !PASSING.includes(error.status)) break; // what stays is deleted by the server some day
      await this.#pause(seconds);
    }
  }

  async #run() {
    while (!["stored", "failed", "cancelled"].includes(this.state)) {
      try {
        await this.#send();
        this.#become("stored");
      } catch (error) {
        if (this.state !== "cancelled") await this.#recover(error);
      }
    }
  }

  async #recover(error) {
    const isForgotten = GONE.includes(error.status) && this.#location;
    if (error.status === UNAUTHORIZED) {
      this.#become("paused", error.message);
      await this.#pause(Infinity);
    } else if (isForgotten || PASSING.includes(error.status)) {
      // Browsers repeat a request by themselves when its connection breaks; it then comes with an offset that was.
      const reason = error.status === CONFLICT ? REASONS[OUT_OF_REACH] : error.message;
      this.#become("paused", `${reason}, trying again…`);
      const seconds = BACK_OFF_SECONDS[Math.min(this.#failures++, BACK_OFF_SECONDS.length - 1)];
      await this.#pause(Math.max(seconds, error.retrySeconds));
    } else {
      this.#become("failed", error.message);
    }
  }

  async #send() {
    await this.#readable();
    this.#become("sending");
    this.#samples = [];
    let offset = (await this.#arrived()) ?? (await this.#create());
    this.#moved(offset);
    while (offset < this.file.size && this.state === "sending") {
      offset = await this.#patch(offset);
      this.#moved(offset);
      this.#failures = 0;
    }
    if (offset === this.file.size) this.#location = null;
  }

  /** A file that was changed or deleted meanwhile looks like a lost connection to XMLHttpRequest. */
  async #readable() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Error("the file cannot be read: was it changed or moved? Pick it once more");
    }
  }

  /** How much of the file the server has, or null if it knows nothing of it. */
  async #arrived() {
    if (!this.#location) return null;
    try {
      return Number((await ask("HEAD", this.#location, TUS)).headers.get("Upload-Offset"));
    } catch (error) {
      if (!GONE.includes(error.status)) throw error;
      this.#location = null;
      return null;
    }
  }

  async #create() {
    const metadata = `filename ${base64(this.file.name)}`;
    const headers = { ...TUS, "Upload-Length": String(this.file.size), "Upload-Metadata": metadata };
    this.#location = (await ask("POST", "/uploads", headers)).headers.get("Location");
    return 0;
  }

  /** Send one chunk; resolves with the offset after it. XMLHttpRequest, since fetch tells nothing of its progress. */
  #patch(offset) {
    return new Promise((resolve, reject) => {
      const used = token.value;
      const request = (this.#request = new XMLHttpRequest());
      const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
      let patience;
      const bePatient = () => {
        clearTimeout(patience);
        patience = setTimeout(() => request.abort(), 1000 * PATIENCE_SECONDS);
      };
      request.open("PATCH", this.#location);
      for (const [name, value] of Object.entries({ ...common(used), ...TUS, ...headers })) {
        request.setRequestHeader(name, value);
      }
      request.upload.onprogress = ({ loaded }) => {
        bePatient();
        this.#moved(offset + loaded);
      };
      request.onload = () => {
        const [next, retryAfter] = ["Upload-Offset", "Retry-After"].map((name) => request.getResponseHeader(name));
        if (request.status === 204 && Number(next) > offset) resolve(Number(next));
        else reject(refusal(used, request.status, request.responseText, retryAfter));
      };
      request.onerror = request.onabort = () => reject(new ServerError(OUT_OF_REACH));
      request.onloadend = () => clearTimeout(patience);
      bePatient();
      request.send(this.file.slice(offset, offset + CHUNK_BYTES));
    });
  }

  #moved(sent) {
    const time = performance.now() / 1000;
    this.sent = sent;
    this.#samples.push({ time, sent });
    this.#samples = this.#samples.filter((sample) => time - sample.time < SPEED_SECONDS);
    this.#changed(this);
  }

  #become(state, reason = "") {
    if (this.state === "cancelled") return; // whatever was under way then
    this.state = state;
    this.reason = reason;
    this.#changed(this);
  }

  async #pause(seconds) {
    await new Promise((resolve) => {
      this.#wake = resolve;
      if (seconds !== Infinity) setTimeout(resolve, 1000 * seconds);
    });
  }

  /** Where the server keeps what has arrived; outlives the page. */
  get #location() {
    return localStorage.getItem(this.#key);
  }

  set #location(path) {
    if (path) localStorage.setItem(this.#key, path);
    else localStorage.removeItem(this.#key);
  }
}

function common(used) {
  return { Accept: "application/json", ...(used && { Authorization: `Bearer ${used}` }) };
}

/** While an answer was under way, the reader may have entered another token: then it is worth another try. */
function refusal(used, status, body, retryAfter) {
  const isStale = status === UNAUTHORIZED && used !== token.value;
  if (status === UNAUTHORIZED && !isStale) dispatchEvent(new Event("tokenwanted"));
  return new ServerError(isStale ? OUTDATED : status, reasonIn(body), Number(retryAfter) || 0);
}

/** The server's own words, from either of the forms that its errors have; a proxy's page of HTML is no reason. */
function reasonIn(body) {
  try {
    return String(JSON.parse(body).error ?? "");
  } catch {
    return /^error: (.+)$/m.exec(body)?.[1] ?? "";
  }
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

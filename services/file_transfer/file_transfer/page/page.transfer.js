// Requests to the server, with the token, and resumable uploads by tus 1.0
// (https://tus.io/protocols/resumable-upload), which never send again what has arrived.

const PATCH_BYTES = 16 * 2 ** 20; // small enough for a proxy that buffers whole requests
const TIMEOUT_SECONDS = 60; // a connection without progress for so long is dead, whatever the browser thinks
const BACK_OFF_SECONDS = [0.5, 1, 2, 4, 8, 15, 30];
const SPEED_SECONDS = 5;
const TUS = { "Tus-Resumable": "1.0.0" };

const UNREACHABLE = 0;
const UNAUTHORIZED = 401;
const STALE_TOKEN = 425; // a 401 to a token that has been replaced since; "Too Early" is the nearest status
const GONE = [404, 410];
const CONFLICT = 409;
const TEMPORARY = [UNREACHABLE, 408, CONFLICT, 423, STALE_TOKEN, 429, 500, 502, 503, 504];

const REASONS = {
  [UNREACHABLE]: "the connection was lost",
  401: "the server requires a token",
  403: "the token does not allow this",
  404: "the file no longer exists",
  412: "the file has been replaced",
  413: "the file is larger than the server allows",
  502: "no replica responds",
  503: "the server is busy",
  504: "no replica responds in time",
  507: "the server has no space left",
};

/** A failed request. `status` is the HTTP status, or 0 without a response; the message is the reason in words. */
export class ServerError extends Error {
  constructor(status, reason = "", retrySeconds = 0) {
    super(reason || REASONS[status] || `the server responded with status ${status}`);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }
}

/** The bearer token. It is in this page's memory alone, where neither another page nor the browser's disk has it. */
export const token = { value: "" };

/** Returns the server's response if it succeeded, and throws ServerError otherwise.
 *
 * If the server does not accept the page's current token, the window gets an event "tokenwanted".
 */
export async function sendRequest(method, path, headers = {}, signal = AbortSignal.timeout(1000 * TIMEOUT_SECONDS)) {
  const usedToken = token.value;
  let response;
  try {
    const allHeaders = { ...commonHeaders(usedToken), ...headers };
    response = await fetch(path, { method, headers: allHeaders, cache: "no-store", signal });
  } catch {
    throw new ServerError(UNREACHABLE);
  }
  if (response.ok) return response;
  const body = await response.text().catch(() => "");
  throw responseError(usedToken, response.status, body, response.headers.get("Retry-After"));
}

/** The upload of one file. It calls `changed(upload)` whenever there is something new to show.
 *
 * States: waiting (for `run`), sending, paused (until a timer ends or `wake` is called), stored, failed, cancelled.
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

  /** Identifies the file, even after the page has been reloaded. */
  get fingerprint() {
    return this.#key;
  }

  get bytesPerSecond() {
    const [first, last] = [this.#samples.at(0), this.#samples.at(-1)];
    return last?.time > first?.time ? (last.sent - first.sent) / (last.time - first.time) : 0;
  }

  /** Sends the file, with as many attempts as it takes. Resolves when it is stored, failed or cancelled. */
  run() {
    this.#ended = this.#run();
    return this.#ended;
  }

  /** Makes a failed upload ready to run again. */
  reset() {
    this.#setState("waiting");
  }

  /** Resumes at once if paused, since the network is back or there is a new token. */
  wake() {
    this.#wake();
  }

  /** Stops the upload, and makes the server delete what has arrived. */
  async cancel() {
    this.#setState("cancelled");
    this.#request?.abort();
    this.#wake();
    await this.#ended; // if the upload is being created now, its location must be known before it can be deleted
    const location = this.#location;
    this.#location = null;
    for (const seconds of location ? BACK_OFF_SECONDS : []) {
      const error = await sendRequest("DELETE", location, TUS).then(() => null, (error) => error);
      if (!error || !TEMPORARY.includes(error.status)) break; // the server deletes what is left when it expires
      await this.#pause(seconds);
    }
  }

  async #run() {
    while (!["stored", "failed", "cancelled"].includes(this.state)) {
      try {
        await this.#send();
        this.#setState("stored");
      } catch (error) {
        if (this.state !== "cancelled") await this.#recover(error);
      }
    }
  }

  async #recover(error) {
    const isForgotten = GONE.includes(error.status) && this.#location;
    if (error.status === UNAUTHORIZED) {
      this.#setState("paused", error.message);
      await this.#pause(Infinity);
    } else if (isForgotten || TEMPORARY.includes(error.status)) {
      // When a connection breaks, browsers repeat the request themselves, and the server refuses its old offset.
      const reason = error.status === CONFLICT ? REASONS[UNREACHABLE] : error.message;
      this.#setState("paused", `${reason}, trying again…`);
      const seconds = BACK_OFF_SECONDS[Math.min(this.#failures++, BACK_OFF_SECONDS.length - 1)];
      await this.#pause(Math.max(seconds, error.retrySeconds));
    } else {
      this.#setState("failed", error.message);
    }
  }

  async #send() {
    await this.#checkReadable();
    this.#setState("sending");
    this.#samples = [];
    let offset = (await this.#offset()) ?? (await this.#create());
    this.#setSent(offset);
    while (offset < this.file.size && this.state === "sending") {
      offset = await this.#patch(offset);
      this.#setSent(offset);
      this.#failures = 0;
    }
    if (offset === this.file.size) this.#location = null;
  }

  /** Checks that the file can be read, since to XMLHttpRequest a deleted file looks like a lost connection. */
  async #checkReadable() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Error("the file cannot be read: was it changed or moved? Choose it again");
    }
  }

  /** Returns how many bytes the server has, or null if it does not know the upload. */
  async #offset() {
    if (!this.#location) return null;
    try {
      return Number((await sendRequest("HEAD", this.#location, TUS)).headers.get("Upload-Offset"));
    } catch (error) {
      if (!GONE.includes(error.status)) throw error;
      this.#location = null;
      return null;
    }
  }

  async #create() {
    const metadata = `filename ${base64(this.file.name)}`;
    const headers = { ...TUS, "Upload-Length": String(this.file.size), "Upload-Metadata": metadata };
    this.#location = (await sendRequest("POST", "/uploads", headers)).headers.get("Location");
    return 0;
  }

  /** Sends one PATCH, and resolves with the next offset. It uses XMLHttpRequest, since fetch reports no progress. */
  #patch(offset) {
    return new Promise((resolve, reject) => {
      const usedToken = token.value;
      const request = (this.#request = new XMLHttpRequest());
      const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
      let timer;
      const restartTimer = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), 1000 * TIMEOUT_SECONDS);
      };
      request.open("PATCH", this.#location);
      for (const [name, value] of Object.entries({ ...commonHeaders(usedToken), ...TUS, ...headers })) {
        request.setRequestHeader(name, value);
      }
      request.upload.onprogress = ({ loaded }) => {
        restartTimer();
        this.#setSent(offset + loaded);
      };
      request.onload = () => {
        const [next, retryAfter] = ["Upload-Offset", "Retry-After"].map((name) => request.getResponseHeader(name));
        if (request.status === 204 && Number(next) > offset) resolve(Number(next));
        else reject(responseError(usedToken, request.status, request.responseText, retryAfter));
      };
      request.onerror = request.onabort = () => reject(new ServerError(UNREACHABLE));
      request.onloadend = () => clearTimeout(timer);
      restartTimer();
      request.send(this.file.slice(offset, offset + PATCH_BYTES));
    });
  }

  #setSent(sent) {
    const time = performance.now() / 1000;
    this.sent = sent;
    this.#samples.push({ time, sent });
    this.#samples = this.#samples.filter((sample) => time - sample.time < SPEED_SECONDS);
    this.#changed(this);
  }

  #setState(state, reason = "") {
    if (this.state === "cancelled") return; // a request that was running then may still end
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

  /** The path of the upload on the server, which is remembered after the page is closed. */
  get #location() {
    return localStorage.getItem(this.#key);
  }

  set #location(path) {
    if (path) localStorage.setItem(this.#key, path);
    else localStorage.removeItem(this.#key);
  }
}

function commonHeaders(usedToken) {
  return { Accept: "application/json", ...(usedToken && { Authorization: `Bearer ${usedToken}` }) };
}

/** Returns the error for a response. A 401 is temporary if the user has entered another token since the request. */
function responseError(usedToken, status, body, retryAfter) {
  const isStale = status === UNAUTHORIZED && usedToken !== token.value;
  if (status === UNAUTHORIZED && !isStale) dispatchEvent(new Event("tokenwanted"));
  return new ServerError(isStale ? STALE_TOKEN : status, reasonIn(body), Number(retryAfter) || 0);
}

/** Returns the server's own message, from JSON or from text; empty for a proxy's HTML page. */
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

// The page itself: what is on it, and what its buttons do. Names of files come from strangers: they are only ever
// written as textContent, into attributes that are no code, or encoded into an address.

import { Upload, ask, token } from "./page.transfer.js";
import { addressOf, downloadLine, limits, moment, progress, size, uploadLine } from "./page.words.js";

const UPLOADS_AT_ONCE = 3;
const FIRST_FILES = "/files?limit=100";
const STATUS_SECONDS = 6;
const LARGEST_IN_MEMORY = 2 ** 30; // bytes; of a download with a token, which a browser keeps until it is whole

const element = (id) => document.getElementById(id);
const uploads = new Map(); // Upload → its row
const files = new Map(); // name → its row
let moreFiles = null; // the address of the list's next page

start();

function start() {
  element("choose").onclick = () => element("picker").click();
  element("picker").onchange = () => {
    addUploads(element("picker").files);
    element("picker").value = ""; // so that the same file can be picked again
  };
  element("clear").onclick = clearFinished;
  element("refresh").onclick = () => loadFiles(FIRST_FILES);
  element("more").onclick = () => loadFiles(moreFiles);
  element("copy-upload-line").onclick = () => copy(element("upload-line").textContent, "the curl line");
  element("token-form").onsubmit = useToken;
  element("forget-token").onclick = forgetToken;
  addEventListener("tokenwanted", askForToken);
  addEventListener("dragover", allowDrop);
  addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
  addEventListener("drop", takeDrop);
  addEventListener("online", wakeUploads);
  addEventListener("beforeunload", (event) => [...uploads.keys()].some(isUnderWay) && event.preventDefault());
  showToken();
  loadFiles(FIRST_FILES);
}

// --- Telling, copying, rows ---

let statusEnd;

function say(text) {
  element("status").textContent = text;
  clearTimeout(statusEnd);
  statusEnd = setTimeout(() => (element("status").textContent = ""), 1000 * STATUS_SECONDS);
}

/** Not again at every attempt that ends the same way. */
function sayOnce(shown, text) {
  if (shown.dataset.said !== text) say(text);
  shown.dataset.said = text;
}

function complain(text) {
  element("problem").textContent = text;
  element("problem").hidden = !text;
}

async function copy(text, what) {
  const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard without TLS"));
  await copied.then(
    () => say(`Copied: ${what}`),
    () => say(copiedTheOldWay(text) ? `Copied: ${what}` : `This browser lets no page copy: ${text}`),
  );
}

function copiedTheOldWay(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "out-of-sight";
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused.focus();
  return copied;
}

function copyDownloadLine(name) {
  const what = token.value ? "the curl line, which takes the token from $TOKEN" : "the curl line";
  copy(downloadLine(location.origin, name, Boolean(token.value)), what);
}

/** A row of a list; `buttons` has for each a selector, what it is for, and what it does. */
function row(template, name, buttons) {
  const added = element(template).content.firstElementChild.cloneNode(true);
  added.querySelector("bdi").textContent = name;
  for (const [selector, purpose, action] of buttons) {
    const button = added.querySelector(selector);
    button.setAttribute("aria-label", purpose);
    button.onclick = action;
  }
  return added;
}

/** Take a row away; who was in it by keyboard goes on at the next one. */
function takeAway(gone, selector, otherwise) {
  const neighbour = gone.nextElementSibling ?? gone.previousElementSibling;
  const hadFocus = gone.contains(document.activeElement);
  gone.remove();
  if (hadFocus) (neighbour?.querySelector(selector) ?? element(otherwise)).focus();
}

// --- Uploads ---

function addUploads(picked) {
  const known = new Set([...uploads.keys()].filter(isUnderWay).map((upload) => upload.fingerprint));
  for (const file of picked) {
    const upload = new Upload(file, showUpload);
    if (known.has(upload.fingerprint)) say(`${file.name} is being uploaded already`);
    else addUpload(upload);
  }
  startWaiting();
}

function addUpload(upload) {
  const { name } = upload.file;
  const added = row("upload-row", name, [
    ["progress", `Upload of ${name}`, null],
    [".again", `Try again to upload ${name}`, () => retry(upload)],
    [".curl", `Copy curl line for ${name}`, () => copyDownloadLine(name.normalize("NFC"))],
    [".end", "", () => endUpload(upload)],
  ]);
  uploads.set(upload, added);
  element("uploads").append(added);
  showUpload(upload);
}

function startWaiting() {
  const all = [...uploads.keys()];
  const running = all.filter((upload) => isUnderWay(upload) && upload.state !== "waiting").length;
  const waiting = all.filter((upload) => upload.state === "waiting");
  for (const upload of waiting.slice(0, Math.max(0, UPLOADS_AT_ONCE - running))) upload.run().then(startWaiting);
}

function isUnderWay(upload) {
  return ["waiting", "sending", "paused"].includes(upload.state);
}

function retry(upload) {
  upload.reset();
  uploads.get(upload).querySelector(".end").focus();
  startWaiting();
}

/** Cancel or dismiss. What has failed is cancelled too, or else the server would keep the part that it has. */
function endUpload(upload) {
  const gone = uploads.get(upload);
  if (isUnderWay(upload)) say(`Cancelled: ${upload.file.name}`);
  uploads.delete(upload);
  takeAway(gone, ".end", "choose");
  if (upload.state !== "stored") upload.cancel().then(startWaiting);
  showUploadsSection();
}

function clearFinished() {
  for (const upload of uploads.keys()) if (upload.state === "stored") endUpload(upload);
  element("choose").focus();
}

function wakeUploads() {
  for (const upload of uploads.keys()) upload.wake();
}

function showUpload(upload) {
  const shown = uploads.get(upload);
  if (!shown) return; // cancelled
  const { name } = upload.file;
  shown.querySelector("progress").value = upload.state === "stored" ? 1 : upload.sent / (upload.file.size || 1);
  shown.querySelector(".facts").textContent = progress(upload);
  if (shown.dataset.state === upload.state) return;
  shown.dataset.state = upload.state;
  shown.querySelector(".again").hidden = upload.state !== "failed";
  shown.querySelector(".curl").hidden = upload.state !== "stored";
  const end = shown.querySelector(".end");
  end.textContent = isUnderWay(upload) ? "Cancel" : "Dismiss";
  end.setAttribute("aria-label", `${end.textContent} the upload of ${name}`);
  if (["paused", "failed", "stored"].includes(upload.state)) sayOnce(shown, `${name}: ${progress(upload)}`);
  if (upload.state === "stored") showStored(name.normalize("NFC"));
  showUploadsSection();
}

function showUploadsSection() {
  element("uploads-section").hidden = !uploads.size;
  element("clear").hidden = ![...uploads.keys()].some((upload) => upload.state === "stored");
}

// --- Dropping ---

function carriesFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function allowDrop(event) {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
}

function takeDrop(event) {
  document.body.classList.remove("dropping");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const isFolder = (item) => item.webkitGetAsEntry()?.isDirectory;
  if (dropped.some(isFolder)) say("A folder is no file: pack it into an archive first");
  addUploads(dropped.filter((item) => !isFolder(item)).map((item) => item.getAsFile()));
}

// --- Files ---

/** One page of the list; the first one takes the place of all that is shown. */
async function loadFiles(address) {
  try {
    const response = await ask("GET", address);
    const listed = await response.json();
    if (address === FIRST_FILES) forgetFiles();
    moreFiles = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get("Link"))?.[1] ?? null;
    listed.forEach(showFile);
    complain("");
    element("empty").hidden = files.size > 0;
  } catch (error) {
    if (error.status === 401) forgetFiles(); // the token's field says why
    else complain(`The list cannot be loaded: ${error.message}`);
  }
  showFilesSection();
}

function forgetFiles() {
  files.clear();
  element("files").replaceChildren();
  element("empty").hidden = true;
  moreFiles = null;
}

/** Have a new file in the list, also if its name is on a page that is not loaded. */
async function showStored(name) {
  try {
    const listed = await (await ask("GET", `/files?limit=1&prefix=${encodeURIComponent(name)}`)).json();
    listed.filter((file) => file.name === name).forEach((file) => showFile(file).classList.add("new"));
  } catch (error) {
    complain(`The list cannot be loaded: ${error.message}`);
  }
  showFilesSection();
}

function showFile(file) {
  const shown = row("file-row", file.name, [
    [".download", `Download ${file.name}`, (event) => download(event, file)],
    [".curl", `Copy curl line for ${file.name}`, () => copyDownloadLine(file.name)],
    [".digest", `Copy SHA-256 of ${file.name}`, () => copy(file.sha256, "the SHA-256")],
    [".delete", `Delete ${file.name}`, () => deleteFile(file)],
  ]);
  shown.dataset.name = file.name;
  shown.querySelector(".download").href = addressOf(file.name);
  shown.querySelector(".size").textContent = size(file.size);
  shown.querySelector("time").textContent = moment(file.modified);
  shown.querySelector("time").dateTime = file.modified;
  shown.querySelector(".limits").textContent = limits(file);
  shown.querySelector(".digest").title = file.sha256;
  shown.querySelector("code").textContent = `${file.sha256.slice(0, 12)}…`;
  files.get(file.name)?.remove();
  files.set(file.name, shown);
  const following = [...element("files").children].find((other) => other.dataset.name > file.name);
  element("files").insertBefore(shown, following ?? null);
  return shown;
}

function showFilesSection() {
  element("files").hidden = !files.size;
  element("empty").hidden ||= files.size > 0;
  element("more").hidden = !moreFiles;
  element("count").textContent = files.size ? `${files.size}${moreFiles ? "+" : ""}` : "";
}

/** Without a token the link does it; with one, the browser itself could not send it along. */
async function download(event, file) {
  if (!token.value) return;
  event.preventDefault();
  if (file.size > LARGEST_IN_MEMORY) {
    complain(`${file.name} is too large for a browser to download with a token: use its curl line`);
    return;
  }
  say(`Downloading ${file.name}…`);
  try {
    const content = await (await ask("GET", addressOf(file.name), {}, null)).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // when the browser has surely begun to save it
  } catch (error) {
    complain(`${file.name} cannot be downloaded: ${error.message}`);
  }
}

/** If somebody has replaced the file since it was listed, it stays. */
async function deleteFile(file) {
  if (!(await isConfirmed(file.name))) return;
  try {
    await ask("DELETE", addressOf(file.name), { "If-Match": `"${file.sha256}"` });
    complain("");
    say(`Deleted: ${file.name}`);
    takeAway(files.get(file.name), ".delete", "files-title");
    files.delete(file.name);
    element("empty").hidden = files.size > 0 || Boolean(moreFiles);
  } catch (error) {
    allowDeletion(![401, 403].includes(error.status));
    complain(`${file.name} is not deleted: ${error.message}`);
  }
  showFilesSection();
}

function isConfirmed(name) {
  const dialog = element("deletion");
  element("deletion-name").textContent = name;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => (dialog.onclose = () => resolve(dialog.returnValue === "delete")));
}

function allowDeletion(allowed) {
  element("files").classList.toggle("no-deletion", !allowed);
}

// --- The token ---

function askForToken() {
  if (token.value) element("token-hint").textContent = "The server does not take this one.";
  token.value = "";
  showToken();
  element("token-form").hidden = false;
  element("token").focus();
}

function useToken(event) {
  event.preventDefault();
  token.value = element("token").value;
  element("token-form").reset();
  element("token-form").hidden = true;
  element("choose").focus();
  allowDeletion(true);
  showToken();
  loadFiles(FIRST_FILES);
  wakeUploads();
}

function forgetToken() {
  token.value = "";
  showToken();
  element("choose").focus();
  loadFiles(FIRST_FILES);
}

function showToken() {
  element("forget-token").hidden = !token.value;
  element("upload-line").textContent = uploadLine(location.origin, Boolean(token.value));
}

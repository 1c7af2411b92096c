// The page's content and its buttons. File names come from strangers, so they are only written as textContent, into
// attributes that are not code, or encoded into a URL.

import { Upload, sendRequest, token } from "./page.transfer.js";
import { addressOf, dateAndTime, downloadCommand, limits, progress, size, uploadCommand, visible } from "./page.words.js";

const UPLOADS_AT_ONCE = 3;
const FIRST_FILES = "/files?limit=100";
const STATUS_SECONDS = 6;
const MAX_BLOB_BYTES = 2 ** 30; // a download with a token is held in memory until it is complete

const element = (id) => document.getElementById(id);
const uploads = new Map(); // Upload → its row
const files = new Map(); // name → its row
let nextPage = null; // the address of the list's next page

start();

function start() {
  element("choose").onclick = () => element("picker").click();
  element("picker").onchange = () => {
    addUploads(element("picker").files);
    element("picker").value = ""; // so that the same file can be chosen again
  };
  element("clear").onclick = clearFinished;
  element("refresh").onclick = () => loadFiles(FIRST_FILES);
  element("more").onclick = () => loadFiles(nextPage);
  element("copy-upload-command").onclick = () => copy(element("upload-command").textContent, "the curl command");
  element("token-form").onsubmit = useToken;
  element("forget-token").onclick = forgetToken;
  addEventListener("tokenwanted", askForToken);
  addEventListener("dragover", allowDrop);
  addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
  addEventListener("drop", handleDrop);
  addEventListener("online", wakeUploads);
  addEventListener("beforeunload", (event) => [...uploads.keys()].some(isUnderWay) && event.preventDefault());
  showToken();
  loadFiles(FIRST_FILES);
}

// --- Messages, copying, rows ---

let statusTimer;

function showStatus(text) {
  element("status").textContent = text;
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => (element("status").textContent = ""), 1000 * STATUS_SECONDS);
}

/** Shows a row's status, but not again if the next attempt ends in the same way. */
function showStatusOnce(row, text) {
  if (row.dataset.status !== text) showStatus(text);
  row.dataset.status = text;
}

function showProblem(text) {
  element("problem").textContent = text;
  element("problem").hidden = !text;
}

async function copy(text, what) {
  const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("the clipboard API needs TLS"));
  await copied.then(
    () => showStatus(`Copied: ${what}`),
    () => showStatus(copyWithoutClipboard(text) ? `Copied: ${what}` : `This browser does not allow copying: ${text}`),
  );
}

function copyWithoutClipboard(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "off-screen";
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused.focus();
  return copied;
}

function copyDownloadCommand(name) {
  const what = token.value ? "the curl command, which reads the token from $TOKEN" : "the curl command";
  copy(downloadCommand(location.origin, name, Boolean(token.value)), what);
}

/** Returns a new row of a list. Each of `buttons` is a selector, a label, and an action. */
function newRow(template, name, buttons) {
  const row = element(template).content.firstElementChild.cloneNode(true);
  row.querySelector("bdi").textContent = visible(name);
  for (const [selector, label, action] of buttons) {
    const button = row.querySelector(selector);
    button.setAttribute("aria-label", label);
    button.onclick = action;
  }
  return row;
}

/** Removes a row. If it had the focus, the focus moves to the selector in the next row, or to the fallback element. */
function removeRow(row, selector, fallback) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement);
  row.remove();
  if (hadFocus) (neighbour?.querySelector(selector) ?? element(fallback)).focus();
}

// --- Uploads ---

function addUploads(picked) {
  const known = new Set([...uploads.keys()].filter(isUnderWay).map((upload) => upload.fingerprint));
  for (const file of picked) {
    const upload = new Upload(file, showUpload);
    if (known.has(upload.fingerprint)) showStatus(`${visible(file.name)} is already being uploaded`);
    else addUpload(upload);
  }
  startWaiting();
}

function addUpload(upload) {
  const { name } = upload.file;
  const row = newRow("upload-row", name, [
    ["progress", `Upload of ${visible(name)}`, null],
    [".again", `Try again to upload ${visible(name)}`, () => retry(upload)],
    [".curl", `Copy curl command for ${visible(name)}`, () => copyDownloadCommand(name.normalize("NFC"))],
    [".end", "", () => endUpload(upload)],
  ]);
  uploads.set(upload, row);
  element("uploads").append(row);
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

/** Cancels or dismisses an upload. A failed one is cancelled too, so that the server deletes what it has received. */
function endUpload(upload) {
  const row = uploads.get(upload);
  if (isUnderWay(upload)) showStatus(`Cancelled: ${visible(upload.file.name)}`);
  uploads.delete(upload);
  removeRow(row, ".end", "choose");
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
  const row = uploads.get(upload);
  if (!row) return; // cancelled
  const { name } = upload.file;
  row.querySelector("progress").value = upload.state === "stored" ? 1 : upload.sent / (upload.file.size || 1);
  row.querySelector(".facts").textContent = progress(upload);
  if (row.dataset.state === upload.state) return;
  row.dataset.state = upload.state;
  row.querySelector(".again").hidden = upload.state !== "failed";
  row.querySelector(".curl").hidden = upload.state !== "stored";
  const end = row.querySelector(".end");
  end.textContent = isUnderWay(upload) ? "Cancel" : "Dismiss";
  end.setAttribute("aria-label", `${end.textContent} the upload of ${visible(name)}`);
  if (["paused", "failed", "stored"].includes(upload.state)) showStatusOnce(row, `${visible(name)}: ${progress(upload)}`);
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

function handleDrop(event) {
  document.body.classList.remove("dropping");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  const isFolder = (item) => item.webkitGetAsEntry()?.isDirectory;
  if (dropped.some(isFolder)) showStatus("Folders cannot be uploaded: pack the folder into an archive first");
  addUploads(dropped.filter((item) => !isFolder(item)).map((item) => item.getAsFile()));
}

// --- Files ---

/** Loads one page of the list. The first page replaces everything that is shown. */
async function loadFiles(address) {
  try {
    const response = await sendRequest("GET", address);
    const listed = await response.json();
    if (address === FIRST_FILES) forgetFiles();
    nextPage = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get("Link"))?.[1] ?? null;
    listed.forEach(showFile);
    showProblem("");
    element("empty").hidden = files.size > 0;
  } catch (error) {
    if (error.status === 401) forgetFiles(); // the form for the token says why
    else showProblem(`The list cannot be loaded: ${error.message}`);
  }
  showFilesSection();
}

function forgetFiles() {
  files.clear();
  element("files").replaceChildren();
  element("empty").hidden = true;
  nextPage = null;
}

/** Adds a new file to the list, even if its name belongs to a page that is not loaded. */
async function showStored(name) {
  try {
    const listed = await (await sendRequest("GET", `/files?limit=1&prefix=${encodeURIComponent(name)}`)).json();
    listed.filter((file) => file.name === name).forEach((file) => showFile(file).classList.add("new"));
  } catch (error) {
    showProblem(`The list cannot be loaded: ${error.message}`);
  }
  showFilesSection();
}

function showFile(file) {
  const row = newRow("file-row", file.name, [
    [".download", `Download ${visible(file.name)}`, (event) => download(event, file)],
    [".curl", `Copy curl command for ${visible(file.name)}`, () => copyDownloadCommand(file.name)],
    [".digest", `Copy SHA-256 of ${visible(file.name)}`, () => copy(file.sha256, "the SHA-256")],
    [".delete", `Delete ${visible(file.name)}`, () => deleteFile(file)],
  ]);
  row.dataset.name = file.name;
  row.querySelector(".download").href = addressOf(file.name);
  row.querySelector(".size").textContent = size(file.size);
  row.querySelector("time").textContent = dateAndTime(file.modified);
  row.querySelector("time").dateTime = file.modified;
  row.querySelector(".limits").textContent = limits(file);
  row.querySelector(".digest").title = file.sha256;
  row.querySelector("code").textContent = `${file.sha256.slice(0, 12)}…`;
  files.get(file.name)?.remove();
  files.set(file.name, row);
  const next = [...element("files").children].find((other) => other.dataset.name > file.name);
  element("files").insertBefore(row, next ?? null);
  return row;
}

function showFilesSection() {
  element("files").hidden = !files.size;
  element("empty").hidden ||= files.size > 0;
  element("more").hidden = !nextPage;
  element("count").textContent = files.size ? `${files.size}${nextPage ? "+" : ""}` : "";
}

/** Downloads a file by script if there is a token, since the browser would follow the link without it. */
async function download(event, file) {
  if (!token.value) return;
  event.preventDefault();
  if (file.size > MAX_BLOB_BYTES) {
    showProblem(`${visible(file.name)} is too large for a browser to download with a token: use its curl command`);
    return;
  }
  showStatus(`Downloading ${visible(file.name)}…`);
  try {
    const content = await (await sendRequest("GET", addressOf(file.name), {}, null)).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has begun to save it
  } catch (error) {
    showProblem(`${visible(file.name)} cannot be downloaded: ${error.message}`);
  }
}

/** Deletes a file, unless somebody has replaced it since it was listed. */
async function deleteFile(file) {
  if (!(await confirmDeletion(file.name))) return;
  try {
    await sendRequest("DELETE", addressOf(file.name), { "If-Match": `"${file.sha256}"` });
    showProblem("");
    showStatus(`Deleted: ${visible(file.name)}`);
    removeRow(files.get(file.name), ".delete", "files-title");
    files.delete(file.name);
    element("empty").hidden = files.size > 0 || Boolean(nextPage);
  } catch (error) {
    allowDeletion(![401, 403].includes(error.status));
    showProblem(`${visible(file.name)} was not deleted: ${error.message}`);
  }
  showFilesSection();
}

function confirmDeletion(name) {
  const dialog = element("deletion");
  element("deletion-name").textContent = visible(name);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => (dialog.onclose = () => resolve(dialog.returnValue === "delete")));
}

function allowDeletion(allowed) {
  element("files").classList.toggle("no-deletion", !allowed);
}

// --- The token ---

function askForToken() {
  if (token.value) element("token-hint").textContent = "The server does not accept this token.";
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
  element("upload-command").textContent = uploadCommand(location.origin, Boolean(token.value));
}

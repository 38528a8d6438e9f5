// Adds to the upload form what HTML alone can't: files can be dropped and
// pasted, their sizes are checked before they are sent, each is sent by itself
// with its progress, waits for a free place when the site is busy, can be
// cancelled, and can be sent again when it failed.
// Without this script the plain form does the same job.
"use strict";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const drop = form.querySelector(".drop");
const error = document.getElementById("file-error");
const list = document.getElementById("queue");
const overall = document.getElementById("overall");
const progress = document.getElementById("progress");
const pace = document.getElementById("pace");
const spoken = document.getElementById("status");
const sendButton = document.getElementById("send");
const done = document.getElementById("done");
const template = document.getElementById("queued");

// The states of a file. Only one is "sending" at a time; it may be waiting for a
// free place.
const WAITING = "waiting";
const SENDING = "sending";
const STORED = "stored";
const FAILED = "failed";

const queue = []; // {file, row, state, loaded, cancel}

const CANCELLED = "Cancelled.";
const PATIENCE = 10 * 60 * 1000; // ms that a file waits for a free place

function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let n = bytes;
  for (; n >= 1024 && unit < units.length - 1; unit++) {
    n /= 1024;
  }
  return `${Number.isInteger(n) ? n : n.toFixed(1)} ${bytes === 1 ? "byte" : units[unit]}`;
}

function time(seconds) {
  if (seconds < 60) {
    return `${Math.ceil(seconds)} s`;
  }
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function sum(items, value) {
  return items.reduce((total, item) => total + value(item), 0);
}

// The pace of the last five seconds tells how long the rest will take.
function newMeter() {
  const samples = [];
  return (loaded, total) => {
    const now = performance.now();
    samples.push({ now, loaded });
    while (samples.length > 2 && now - samples[0].now > 5000) {
      samples.shift();
    }
    const rate = (1000 * (loaded - samples[0].loaded)) / (now - samples[0].now);
    if (!(rate > 0 && Number.isFinite(rate))) {
      return `${size(loaded)} of ${size(total)}`;
    }
    return `${size(loaded)} of ${size(total)}, ${size(Math.round(rate))}/s, about ${time((total - loaded) / rate)} left`;
  };
}

function showError(message) {
  error.textContent = message;
  input.setAttribute("aria-invalid", String(message !== ""));
  input.setAttribute("aria-describedby", message ? "file-error file-hint" : "file-hint");
}

// What the server would refuse anyway is said before it is sent.
function mistakeIn(items) {
  const most = Number(form.dataset.maxFiles);
  const empty = items.find((item) => item.file.size === 0);
  if (items.length === 0) {
    return "This field is required.";
  }
  if (items.length > most) {
    return `Please choose at most ${most} files.`;
  }
  if (empty) {
    return `${empty.file.name}: The submitted file is empty.`;
  }
  if (sum(items, (item) => item.file.size) > Number(form.dataset.maxBytes)) {
    return "That is more than we can take at once. Please choose fewer or smaller files.";
  }
  return "";
}

const unsent = () => queue.filter((item) => item.state === WAITING || item.state === FAILED);
const current = () => queue.find((item) => item.state === SENDING);

// show puts a file's state into its row: what it says, and what can be done.
function show(item, state, words) {
  item.state = state;
  const { row } = item;
  row.className = state;
  row.querySelector(".state").textContent = words;
  row.querySelector("progress").hidden = state !== SENDING;
  row.querySelector(".again").hidden = state !== FAILED;
  row.querySelector(".cancel").hidden = state !== SENDING;
  row.querySelector(".remove").hidden = state === SENDING || state === STORED;
  // One file is sent at a time.
  for (const button of [sendButton, ...list.querySelectorAll(".again")]) {
    button.disabled = current() !== undefined;
  }
  list.hidden = queue.length === 0;
}

function add(files) {
  for (const file of files) {
    const row = template.content.firstElementChild.cloneNode(true);
    const item = { file, row, state: WAITING, loaded: 0, cancel: null };
    row.querySelector(".name").textContent = file.name;
    for (const [action, label, act] of [
      [".again", "Send again", () => start([item])],
      [".cancel", "Cancel", () => item.cancel()],
      [".remove", "Remove", () => remove(item)],
    ]) {
      const button = row.querySelector(action);
      button.setAttribute("aria-label", `${label}: ${file.name}`);
      button.addEventListener("click", act);
    }
    queue.push(item);
    list.append(row);
    show(item, WAITING, size(file.size));
  }
  // The queue has them now; the same file may be chosen again.
  input.value = "";
  const items = unsent();
  showError(items.length > 0 ? mistakeIn(items) : "");
  spoken.textContent = `${items.length} to send`;
}

function remove(item) {
  queue.splice(queue.indexOf(item), 1);
  item.row.remove();
  list.hidden = queue.length === 0;
  showError(unsent().length > 0 ? mistakeIn(unsent()) : "");
  spoken.textContent = `${item.file.name} removed`;
  input.focus();
}

// Busy is the answer of a server that would take the file later.
class Busy {
  constructor(words, retryAfter) {
    this.words = words;
    // Seconds or a date (RFC 9110, 10.2.3).
    const wait = /^\d+$/.test(retryAfter) ? 1000 * Number(retryAfter) : Date.parse(retryAfter) - Date.now();
    this.wait = Number.isNaN(wait) ? 5000 : Math.max(1000, wait); // ms
  }

  toString() {
    return this.words;
  }
}

function pause(item, wait) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, wait);
    item.cancel = () => {
      clearTimeout(timer);
      reject(CANCELLED);
    };
  });
}

// postPatiently sends one file, again if need be until the server has a free
// place for it.
async function postPatiently(item, onProgress) {
  const end = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await post(item, onProgress);
    } catch (reason) {
      if (!(reason instanceof Busy) || performance.now() + reason.wait > end) {
        throw reason;
      }
      onProgress(0);
      item.row.querySelector(".state").textContent = "Waiting for a free place…";
      spoken.textContent = `${item.file.name}: Waiting for a free place…`;
      await pause(item, reason.wait);
    }
  }
}

// post sends one file. It resolves to the server's receipt, and rejects with
// what the visitor is told or with Busy. fetch can't tell how much of a body is
// sent, so this takes XMLHttpRequest.
function post(item, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    item.cancel = () => request.abort();
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Not from this site, a proxy's page perhaps: its status must do.
      }
      const words = answer.detail || `The upload failed (${request.status}). Please try again.`;
      if (request.status === 201) {
        resolve(answer.files[0]);
      } else if (request.status === 429 || request.status === 503) {
        reject(new Busy(words, request.getResponseHeader("Retry-After")));
      } else {
        reject(words);
      }
    });
    request.addEventListener("error", () => reject("The connection was lost before the file was confirmed."));
    request.addEventListener("abort", () => reject(CANCELLED));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    const body = new FormData();
    body.append(input.name, item.file);
    request.send(body);
  });
}

// start sends the files one after the other, so that each has all of the
// connection and what is done is done.
async function start(items) {
  const mistake = mistakeIn(items);
  showError(mistake);
  if (mistake || current()) {
    input.focus();
    return;
  }
  const total = sum(items, (item) => item.file.size);
  const meter = newMeter();
  let told = 0;
  for (const item of items) {
    item.loaded = 0;
  }
  overall.hidden = false;
  done.hidden = true;
  for (const [index, item] of items.entries()) {
    if (!queue.includes(item)) {
      continue; // removed while it waited
    }
    const bar = item.row.querySelector("progress");
    const itemMeter = newMeter();
    bar.setAttribute("aria-label", item.file.name);
    bar.value = 0;
    show(item, SENDING, "Sending…");
    spoken.textContent = `Sending ${index + 1} of ${items.length}: ${item.file.name}`;
    try {
      const receipt = await postPatiently(item, (part) => {
        item.loaded = part * item.file.size;
        bar.value = part;
        const loaded = sum(items, (each) => each.loaded);
        progress.value = loaded / total;
        pace.textContent = meter(Math.round(loaded), total);
        item.row.querySelector(".state").textContent = part < 1 ? itemMeter(Math.round(item.loaded), item.file.size) : "All sent, now being stored…";
        const quarter = Math.floor((4 * loaded) / total) * 25;
        if (quarter > told && quarter < 100) {
          told = quarter;
          spoken.textContent = `${quarter} % sent`;
        }
      });
      const renamed = receipt.name === item.file.name ? "Stored" : `Stored as ${receipt.name}`;
      show(item, STORED, `${renamed}, ${size(receipt.bytes)}, SHA-256 ${receipt.sha256}`);
      spoken.textContent = `${item.file.name}: ${renamed}`;
    } catch (reason) {
      item.loaded = 0;
      show(item, FAILED, String(reason));
      spoken.textContent = `${item.file.name}: ${reason}`;
    }
  }
  finish();
}

function finish() {
  overall.hidden = true;
  const failed = unsent().length;
  const stored = queue.length - failed;
  if (stored > 0 && failed === 0) {
    location.assign("/");
    return;
  }
  done.hidden = stored === 0;
  if (failed > 0) {
    spoken.textContent = `${stored} stored, ${failed} not sent`;
  }
}

// The queue stands in for the input, which the browser would find empty.
form.noValidate = true;
form.classList.add("scripted");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  start(unsent());
});
input.addEventListener("change", () => add([...input.files]));
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length > 0) {
    add([...event.clipboardData.files]);
  }
});

for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const type of ["dragleave", "drop"]) {
  drop.addEventListener(type, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  add([...event.dataTransfer.files]);
});

// A page that the browser kept may still have files in its input.
if (input.files.length > 0) {
  add([...input.files]);
}

// Shows the queue: a row for each file, the sum of what is being sent, the title
// and what screen readers say.

import { queue, isUnderWay, isRemovable, isToSend, sums } from "./queue.js";

const find = (id) => document.getElementById(id);
const form = find("upload");
const title = document.title;

export function size(bytes) {
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

// A name is written in its own direction, whatever stands around it.
const isolate = (name) => `\u2068${name}\u2069`;

export const files = (n) => (n === 1 ? "1 file" : `${n} files`);

// The pace of the last five seconds, in bytes a second, tells how long the rest
// will take. What is sent a second time is counted again.
const samples = [];
let moved = 0; // bytes, since the page was opened

export function count(bytes) {
  const now = performance.now();
  moved += Math.max(0, bytes);
  samples.push({ now, moved });
  while (now - samples[0].now > 5000) {
    samples.shift();
  }
}

function progress(sent, total) {
  const elapsed = (performance.now() - samples[0]?.now) / 1000;
  const rate = (moved - samples[0]?.moved) / elapsed;
  const sofar = `${size(sent)} of ${size(total)}`;
  return elapsed > 0.2 && rate > 0 ? `${sofar}, ${size(Math.round(rate))}/s, about ${time((total - sent) / rate)} left` : sofar;
}

// What a row says in each state.
const SAYS = {
  chosen: (item) => size(item.file.size) + (item.before > 0 ? `, ${size(item.before)} of it are here already` : ""),
  waiting: (item) => `${size(item.file.size)}, waiting for its turn`,
  sending: (item) => (item.sent > 0 ? progress(item.sent, item.file.size) : "Sending…"),
  network: () => "Waiting for the network…",
  place: () => "The site is busy. Waiting for a free place…",
  storing: () => "All sent, now being stored…",
  stored: ({ receipt }) => {
    const kept =
      receipt.existed ? `${isolate(receipt.existed)} already existed, stored as ${isolate(receipt.name)}`
      : receipt.name === receipt.original ? "Stored"
      : `Stored as ${isolate(receipt.name)}`;
    return `${kept}, ${size(receipt.bytes)}`;
  },
  failed: (item) => item.reason,
};

// newRow makes the row of a file. The choices are functions by the class of
// their buttons.
export function newRow(item, choices) {
  item.row = find("queued").content.firstElementChild.cloneNode(true);
  item.row.querySelector(".name").textContent = item.file.name;
  item.row.querySelector("progress").setAttribute("aria-label", `Progress of ${item.file.name}`);
  for (const [choice, act] of Object.entries(choices)) {
    const button = item.row.querySelector(`.${choice}`);
    button.setAttribute("aria-label", `${button.textContent}: ${item.file.name}`);
    button.addEventListener("click", act);
  }
  find("queue").append(item.row);
}

// draw shows a file as it is.
export function draw(item) {
  const { row, state } = item;
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  row.dataset.state = state;
  row.querySelector(".state").textContent = SAYS[state](item);
  row.querySelector(".over").hidden = !(state === "chosen" && item.before > 0);
  row.querySelector(".again").hidden = !(state === "failed" && item.again);
  row.querySelector(".cancel").hidden = !isUnderWay(item);
  row.querySelector(".remove").hidden = !isRemovable(item);
  const bar = row.querySelector("progress");
  bar.hidden = !isUnderWay(item);
  if (state === "storing") {
    bar.removeAttribute("value"); // nobody can tell how long it takes
  } else {
    bar.value = item.file.size > 0 ? item.sent / item.file.size : 0;
  }
  const digest = row.querySelector(".digest");
  digest.hidden = state !== "stored";
  if (state === "stored") {
    digest.querySelector("code").textContent = item.receipt.sha256;
  }
  if (focused?.hidden) {
    (row.querySelector("button:not([hidden])") ?? row).focus();
  }
  drawAll();
}

// erase takes a file's row away, and puts the focus on the next one's button if
// it was there.
export function erase(item) {
  const { row } = item;
  const focused = row.contains(document.activeElement);
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (focused) {
    (next?.querySelector("button:not([hidden])") ?? next ?? find("file")).focus();
  }
  drawAll();
}

// drawAll shows what is true of all files together.
export function drawAll() {
  const sending = queue.some(isUnderWay);
  const toSend = queue.filter(isToSend).length;
  find("queue").hidden = queue.length === 0;
  find("send").setAttribute("aria-disabled", String(sending && toSend === 0));
  const removable = queue.filter(isRemovable).length;
  const removeAll = find("remove-all");
  if (removable < 2 && document.activeElement === removeAll) {
    find("file").focus();
  }
  removeAll.hidden = removable < 2;
  find("overall").hidden = !sending;
  if (sending) {
    const { files: number, place, bytes, sent } = sums();
    const current = queue.find(isUnderWay);
    find("progress").value = bytes > 0 ? sent / bytes : 0;
    find("sum").textContent = number === 1 ? "Sending 1 file" : `Sending ${place} of ${number} files`;
    find("pace").textContent = current.state === "sending" ? progress(sent, bytes) : `${size(sent)} of ${size(bytes)}. ${SAYS[current.state](current)}`;
    document.title = `${Math.floor((100 * sent) / bytes)} % sent · ${title}`;
  }
}

export function showError(message) {
  const input = find("file");
  find("file-error").textContent = message;
  input.setAttribute("aria-invalid", String(message !== ""));
  input.setAttribute("aria-describedby", message ? "file-error file-hint" : "file-hint");
}

// showOutcome tells how a round ended.
export function showOutcome() {
  const stored = queue.filter((item) => item.state === "stored").length;
  const failed = queue.filter((item) => item.state === "failed");
  const done = stored > 0 && stored === queue.length;
  form.classList.toggle("done", done);
  if (done) {
    find("done-title").textContent = `Thank you, your ${stored === 1 ? "file is" : `${stored} files are`} safely stored`;
    document.title = `Stored: ${files(stored)} · ${title}`;
    hush();
    find("done-title").focus();
  } else if (failed.length > 0) {
    document.title = `Not sent: ${files(failed.length)} · ${title}`;
    say(stored > 0 ? `${files(stored)} stored, ${failed.length} not sent.` : `${files(failed.length)} not sent.`);
  } else {
    document.title = title;
  }
}

// showForm shows the form as it was at first.
export function showForm() {
  find("queue").replaceChildren();
  form.classList.remove("done");
  document.title = title;
  showError("");
  hush();
  drawAll();
}

// What screen readers say: a sentence at most every three seconds. Of what only
// goes on, they say the latest; nothing that went wrong is left out.
const PAUSE = 3000; // ms
const problems = [];
let latest = "";
let speaking = null; // the timer that runs out when the next sentence may come

export function say(sentence, { isProblem = false } = {}) {
  if (isProblem) {
    problems.push(sentence);
  } else {
    latest = sentence;
  }
  speaking ??= setTimeout(speak, 0);
}

function speak() {
  const most = 5; // problems with names; the rows have them all
  const more = problems.length - most;
  const sentences = problems.splice(0).slice(0, most);
  if (more > 0) {
    sentences.push(`${files(more)} more could not be sent.`);
  }
  if (latest) {
    sentences.push(latest);
  }
  latest = "";
  if (sentences.length > 0) {
    find("status").textContent = sentences.join(" ");
  }
  speaking = sentences.length > 0 ? setTimeout(speak, PAUSE) : null;
}

function hush() {
  problems.length = 0;
  latest = "";
  find("status").textContent = "";
}

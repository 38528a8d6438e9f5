// Adds to the upload form what HTML alone can't: files and folders can be
// dropped and pasted, each file is sent by itself with its progress, waits for
// the network or a free place, can be cancelled, and can be sent again when it
// failed. Without this script the plain form does the same job.

import { queue, put, remove, set, isToSend, isUnsent, isRemovable, sums } from "./queue.js";
import { send, offsetOf, forget, Failure } from "./sending.js";
import { keyOf, recall, keep, alone } from "./memory.js";
import { newRow, draw, erase, drawAll, showError, showOutcome, showForm, say, count, files, size } from "./drawing.js";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const drop = form.querySelector(".drop");
const maxBytes = Number(form.dataset.maxBytes);

let isRunning = false;
let known = Promise.resolve(); // when it is known of all files whether they were begun before

// change puts a file into a state and shows it.
function change(item, state, more) {
  set(item, state, more);
  draw(item);
  askBeforeLeaving();
}

// Only while there is something to lose, since a page that has the listener may
// be kept from the back/forward cache.
function askBeforeLeaving() {
  (queue.some(isUnsent) ? addEventListener : removeEventListener)("beforeunload", ask);
}

function ask(event) {
  event.preventDefault();
}

// mirror has the input hold what is not sent yet, so that the browser itself
// tells how many files are chosen.
function mirror() {
  const transfer = new DataTransfer();
  for (const item of queue.filter((item) => item.state === "waiting" || isToSend(item))) {
    transfer.items.add(item.file);
  }
  input.files = transfer.files;
}

// What the site would refuse anyway is said at once.
function mistakeIn(file) {
  if (file.size === 0) {
    return "This file is empty. Please choose another one.";
  }
  return file.size > maxBytes ? `This file has ${size(file.size)}, and we take at most ${size(maxBytes)}. Please choose a smaller one.` : "";
}

function fail(item, reason, again) {
  change(item, "failed", { reason, again, round: false });
  say(`${item.file.name}: ${reason}`, { isProblem: true });
}

function add(chosen) {
  if (form.classList.contains("done")) {
    reset();
    input.focus(); // what had the focus is gone
  }
  const added = chosen.map((file) => {
    const item = put(file);
    newRow(item, {
      over: () => startOver(item),
      again: () => start([item]),
      cancel: () => item.cancel(),
      remove: () => discard([item]),
    });
    draw(item);
    const mistake = mistakeIn(file);
    if (mistake) {
      fail(item, mistake, false);
    } else {
      item.known = known = known.then(() => remind(item));
    }
    return item;
  });
  showError("");
  if (isRunning) {
    start(added.filter(isToSend)); // they join the others
    say(`${files(added.length)} added.`);
  } else if (added.length > 0) {
    say(`${files(queue.filter(isToSend).length)} chosen.`);
  }
  mirror();
  askBeforeLeaving();
}

// remind finds out what the site has of a file that was begun before.
async function remind(item) {
  item.key = await keyOf(item.file);
  const address = recall(item.key);
  const before = address && (await offsetOf(address));
  if (before) {
    Object.assign(item, { address, before });
    draw(item);
  }
}

// startOver has the site forget what it has of a file.
function startOver(item) {
  if (item.address) {
    forget(item.address);
    keep(item.key, null);
    Object.assign(item, { address: null, before: 0 });
    draw(item);
  }
}

function discard(items) {
  for (const item of items) {
    startOver(item);
    remove(item);
    erase(item);
  }
  say(items.length === 1 ? `${items[0].file.name} removed.` : `${files(items.length)} removed.`);
  mirror();
  askBeforeLeaving();
  if (!isRunning) {
    showOutcome();
  }
}

// start sends the files, after those that are being sent already.
function start(items) {
  for (const item of items) {
    change(item, "waiting", { round: true });
  }
  if (!isRunning) {
    run();
  }
}

// run sends one file after the other, so that each has all of the connection and
// what is done is done.
async function run() {
  isRunning = true;
  say(`Sending ${files(queue.filter((item) => item.state === "waiting").length)}.`);
  for (let item; (item = queue.find((item) => item.state === "waiting")); ) {
    const over = sendOne(item);
    mirror(); // it is on its way
    await over;
  }
  mirror();
  isRunning = false;
  for (const item of queue) {
    item.round = false;
  }
  drawAll();
  showOutcome();
}

async function sendOne(item) {
  const controller = new AbortController();
  item.cancel = () => controller.abort();
  change(item, "sending");
  try {
    await item.known;
    const receipt = await alone(item.key, (isAlone) =>
      send(item.file, {
        to: form.action,
        address: isAlone ? item.address : null,
        signal: controller.signal,
        keep: (address) => {
          item.address = address;
          if (isAlone) {
            keep(item.key, address);
          }
        },
        tell: (state, sent = item.sent) => {
          if (state !== item.state && (state === "network" || state === "place")) {
            say(state === "network" ? `${item.file.name} waits for the network.` : `${item.file.name} waits for a free place.`);
          }
          // What the line took may not have arrived, but the bar does not go back.
          sent = sent === 0 ? 0 : Math.max(sent, item.sent);
          count(sent - item.sent);
          change(item, state, { sent });
          sayProgress();
        },
      }),
    );
    change(item, "stored", { receipt });
  } catch (reason) {
    if (controller.signal.aborted) {
      fail(item, "Cancelled. You can send it again.", true);
    } else if (reason instanceof Failure) {
      fail(item, reason.message, reason.again);
    } else {
      fail(item, "Something is wrong with this page. Please reload it and choose the file again.", false);
      reportError(reason);
    }
  }
}

// Each quarter of all is said once.
let quarter = 0;

function sayProgress() {
  const { sent, bytes } = sums();
  const now = Math.floor((4 * sent) / bytes);
  if (now > quarter && now < 4) {
    say(`${25 * now} % sent.`);
  }
  quarter = now;
}

// All files of what was dropped, also those in its folders, and what is wrong.
async function filesOf(transfer) {
  // The list is gone after the event, so all are taken from it at once.
  const dropped = [...transfer.items].filter((item) => item.kind === "file").map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const found = [];
  let problem = "";
  const walk = async (entry) => {
    if (entry.isFile) {
      found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length > 0; ) {
      for (const inner of some) {
        await walk(inner);
      }
    }
  };
  for (const { entry, file } of dropped) {
    if (entry?.isDirectory) {
      try {
        await walk(entry);
      } catch {
        problem = `The folder ${entry.name} could not be read. Please choose its files instead.`;
      }
    } else if (file) {
      found.push(file);
    }
  }
  if (found.length === 0) {
    problem ||= "There are no files in what you dropped. Please choose others.";
  }
  return { found, problem };
}

function reset() {
  queue.length = 0;
  showForm();
  mirror();
  askBeforeLeaving();
}

// The queue stands in for the input, and each file is posted alone.
form.noValidate = true;
form.classList.add("scripted");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const items = queue.filter(isToSend);
  if (items.length > 0) {
    start(items);
  } else if (!isRunning) {
    showError(queue.length > 0 ? "None of these can be sent. Please choose other files." : "Please choose a file first.");
    input.focus();
  }
});
input.addEventListener("change", () => {
  // The input holds what was chosen just now, and not what was before.
  add([...input.files]);
});
document.getElementById("remove-all").addEventListener("click", () => discard(queue.filter(isRemovable)));
document.getElementById("more").addEventListener("click", () => {
  reset();
  input.focus();
});

// Files may be dropped anywhere: beside the zone, a browser would open them.
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (hasFiles(event)) {
    event.preventDefault();
    drop.classList.add("over");
  }
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    drop.classList.remove("over"); // it left the window
  }
});
addEventListener("drop", async (event) => {
  drop.classList.remove("over");
  if (hasFiles(event)) {
    event.preventDefault();
    const { found, problem } = await filesOf(event.dataTransfer);
    add(found);
    showError(problem);
  }
});
addEventListener("paste", (event) => {
  if (event.clipboardData.files.length > 0) {
    event.preventDefault();
    add([...event.clipboardData.files]);
  }
});

// A page that the browser kept shows an empty form if all was stored.
addEventListener("pageshow", (event) => {
  if (event.persisted && form.classList.contains("done")) {
    reset();
  }
});

drawAll();
// A browser that reloads the page may put the files back into the input.
if (input.files.length > 0) {
  add([...input.files]);
}

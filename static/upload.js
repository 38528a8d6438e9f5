// Adds to the upload form what HTML alone can't: files can be dropped on it,
// their size is checked before they are sent, and progress is shown. Without
// this script the form does the same job.
"use strict";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const drop = form.querySelector(".drop");
const button = form.querySelector("button");
const error = document.getElementById("file-error");
const status = document.getElementById("status");
const progress = document.getElementById("progress");
const progressLine = document.getElementById("progress-line");

function showError(message) {
  error.textContent = message;
  input.setAttribute("aria-invalid", String(message !== ""));
  input.setAttribute("aria-describedby", message ? "file-error file-hint" : "file-hint");
}

// What the server would refuse anyway is said before it is sent.
function check() {
  const files = [...input.files];
  const most = Number(form.dataset.maxFiles);
  const empty = files.find((file) => file.size === 0);
  let message = "";
  if (files.length > most) {
    message = `Please choose at most ${most} files.`;
  } else if (empty) {
    message = `${empty.name}: The submitted file is empty.`;
  } else if (files.reduce((sum, file) => sum + file.size, 0) > Number(form.dataset.maxBytes)) {
    message = "That is more than we can take at once. Please choose fewer or smaller files.";
  }
  showError(message);
  return message === "";
}

function setSending(sending) {
  button.disabled = sending;
  progressLine.hidden = !sending;
  progress.value = 0;
  status.textContent = "";
}

function fail(message) {
  setSending(false);
  showError(message);
  input.focus();
}

// fetch can't tell how much of a body is sent, so this takes XMLHttpRequest.
function send() {
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) {
      return;
    }
    const percent = Math.floor((100 * event.loaded) / event.total);
    progress.value = percent;
    // Spoken by screen readers: each quarter, not each percent.
    const quarter = Math.floor(percent / 25) * 25;
    status.textContent = percent === 100 ? "All sent, now being stored…" : `${quarter} % sent`;
  });
  request.addEventListener("load", () => {
    if (request.status === 201) {
      location.assign("/");
      return;
    }
    let problem = {};
    try {
      problem = JSON.parse(request.responseText);
    } catch {
      // Not from this site, a proxy's page perhaps: its status must do.
    }
    fail(problem.detail || `The upload failed (${request.status}). Please try again.`);
  });
  request.addEventListener("error", () => {
    fail("The connection was lost before the files were confirmed. Please try again.");
  });
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.send(new FormData(form));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (check()) {
    setSending(true);
    send();
  }
});

input.addEventListener("change", check);

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
  input.files = event.dataTransfer.files;
  check();
});

// Sends one file, for as long as there is hope: over a line that stalls or goes
// off, and to a site that is busy.

const QUIET = 5_000; // ms without progress until it is said
const DEAD = 30_000; // ms without progress until the line is given up
const ANSWER = 300_000; // ms that the site may take to store a file
const PATIENCE = 600_000; // ms that a file waits for a free place
const TRIES = 20; // in vain, on a line that the browser takes for good

// Failure says why a file was not stored, and what the visitor can do.
export class Failure extends Error {
  constructor(words, again = true) {
    super(words);
    this.again = again; // whether it makes sense to send the same file again
  }
}

// Lost is a connection that ended before the site had the whole file.
class Lost extends Error {}

// Busy is the answer of a site that would take the file later.
class Busy extends Error {
  constructor(words, retryAfter) {
    super(words);
    // Seconds or a date (RFC 9110, 10.2.3).
    const wait = /^\d+$/.test(retryAfter) ? 1000 * Number(retryAfter) : Date.parse(retryAfter) - Date.now();
    this.wait = Number.isNaN(wait) ? 5000 : Math.max(1000, wait); // ms
  }
}

// send resolves to the site's receipt, and rejects with a Failure, or with the
// signal's reason. It tells the states that the file goes through, and how many
// of its bytes are sent.
export async function send(file, { to, as, signal, tell }) {
  const end = performance.now() + PATIENCE;
  let delay = 1000; // ms
  for (let tries = 1; ; tries++) {
    tell("sending", 0);
    await checkReadable(file, signal);
    try {
      return await post(file, { to, as, signal, tell });
    } catch (reason) {
      if (reason instanceof Busy) {
        if (performance.now() + reason.wait > end) {
          throw new Failure(reason.message);
        }
        tell("place", 0);
        await pause(reason.wait, signal);
      } else if (reason instanceof Lost) {
        // Browsers report a file that changed under their hands in the same way.
        await checkReadable(file, signal);
        if (tries >= TRIES) {
          throw new Failure("The connection was lost again and again. Please try again later, or on another network.");
        }
        tell("network", 0);
        // With jitter, so that not all who lost the site come back at once.
        await pause(navigator.onLine ? delay * (0.5 + Math.random()) : 2 ** 31 - 1, signal, "online");
        delay = Math.min(2 * delay, 30_000);
      } else {
        throw reason;
      }
    }
  }
}

// checkReadable reads the last byte, since a browser that fails to read a file
// while it sends it says no more than that the connection was lost, or nothing at
// all. Who cancelled meanwhile is heard after it.
async function checkReadable(file, signal) {
  const last = await file.slice(-1).arrayBuffer().catch(() => null);
  if (last?.byteLength !== 1) {
    throw new Failure(`${file.name} was changed or deleted since you chose it. Please choose it again.`, false);
  }
  signal.throwIfAborted();
}

// post sends the file once. fetch can't tell how much of a body is sent, so this
// takes XMLHttpRequest.
function post(file, { to, as, signal, tell }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let isSent = false;
    let quiet, dead;
    const watch = () => {
      clearTimeout(quiet);
      clearTimeout(dead);
      if (isSent) {
        dead = setTimeout(() => giveUp(), ANSWER);
      } else {
        quiet = setTimeout(() => tell("network"), QUIET);
        dead = setTimeout(() => giveUp(), DEAD);
      }
    };
    const over = new AbortController();
    const settle = (how, value) => {
      clearTimeout(quiet);
      clearTimeout(dead);
      over.abort();
      how(value);
    };
    const lose = () =>
      settle(
        reject,
        isSent
          ? new Failure("The connection was lost while the file was being stored, so it may be stored or not. To be sure, send it again.")
          : new Lost(),
      );
    const giveUp = () => {
      lose();
      request.abort();
    };
    signal.addEventListener(
      "abort",
      () => {
        settle(reject, signal.reason);
        request.abort();
      },
      { signal: over.signal },
    );
    request.upload.addEventListener("progress", (event) => {
      isSent = event.loaded === event.total;
      tell(isSent ? "storing" : "sending", Math.round((event.loaded / event.total) * file.size));
      watch();
    });
    request.addEventListener("error", lose);
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Not from this site, a proxy's page perhaps: its status must do.
      }
      if (request.status === 201 && answer.files?.length === 1) {
        settle(resolve, answer.files[0]);
        return;
      }
      const words =
        answer.detail ||
        (request.status === 413
          ? "This file is too large to get through to us. Please choose a smaller one."
          : `Something went wrong on the way (${request.status}). Please send it again in a minute.`);
      const isBusy = request.status === 429 || request.status === 503;
      settle(reject, isBusy ? new Busy(words, request.getResponseHeader("Retry-After")) : new Failure(words));
    });
    request.open("POST", to);
    request.setRequestHeader("Accept", "application/json");
    const body = new FormData();
    body.append(as, file);
    watch();
    request.send(body);
  });
}

// pause waits for a while, or for an event of the window.
function pause(wait, signal, event) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const settle = (how, value) => {
      clearTimeout(timer);
      over.abort();
      how(value);
    };
    const timer = setTimeout(() => settle(resolve), wait);
    signal.addEventListener("abort", () => settle(reject, signal.reason), { signal: over.signal });
    if (event) {
      addEventListener(event, () => settle(resolve), { signal: over.signal });
    }
  });
}

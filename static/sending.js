// Sends one file by parts, as draft-ietf-httpbis-resumable-upload has it, for as
// long as there is hope: over a line that stalls or goes off, and to a site that
// is busy or starts anew. What the site has, it has.

const PART = 16 << 20; // bytes of a request, which is less than proxies allow
const QUIET = 5_000; // ms without progress until it is said
const DEAD = 30_000; // ms without progress until the line is given up
const ANSWER = 60_000; // ms that the site may take to store a part
const PATIENCE = 600_000; // ms that a file waits for a free place
const TRIES = 20; // in vain, on a line that the browser takes for good

// Failure says why a file was not stored, and what the visitor can do.
export class Failure extends Error {
  constructor(words, again = true) {
    super(words);
    this.again = again; // whether it makes sense to send the same file again
  }
}

// Lost is a request without an answer, or with one that promises nothing.
class Lost extends Error {}

// Gone is an upload that the site knows no more.
class Gone extends Error {}

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
// signal's reason. An upload that was begun before goes on at its address. It
// tells the states that the file goes through, and how many of its bytes the
// site has or the line took; and the address, or null when that is of no use any
// more.
export async function send(file, { to, address, signal, tell, keep }) {
  let end = 0; // when the patience ends, if the site is busy
  let delay = 1000; // ms
  let tries = 0;
  let stored = 0; // bytes
  for (;;) {
    try {
      tell("sending");
      await checkReadable(file, signal);
      if (!address) {
        address = await create(file, to, signal, tell);
        keep(address);
        stored = 0;
      } else {
        stored = await look(address, signal, tell);
        tell("sending", stored || undefined);
      }
      for (;;) {
        const receipt = await append(file, address, stored, signal, tell);
        if (receipt) {
          keep(null);
          return receipt;
        }
        [stored, end, delay, tries] = [stored + PART, 0, 1000, 0];
      }
    } catch (reason) {
      if (reason instanceof Busy) {
        end ||= performance.now() + PATIENCE;
        if (performance.now() + reason.wait > end) {
          throw new Failure(reason.message);
        }
        tell("place");
        await pause(reason.wait, signal);
        continue;
      }
      if (reason instanceof Gone) {
        address = null;
        keep(null);
        tell("sending", 0);
      } else if (!(reason instanceof Lost)) {
        throw reason;
      }
      // Browsers report a file that changed under their hands in the same way.
      await checkReadable(file, signal);
      if (++tries >= TRIES) {
        throw new Failure("The connection was lost again and again. Please send it again later, or on another network: it goes on where it was.");
      }
      tell("network");
      // With jitter, so that not all who lost the site come back at once.
      await pause(navigator.onLine ? delay * (0.5 + Math.random()) : 2 ** 31 - 1, signal, "online");
      delay = Math.min(2 * delay, 30_000);
    }
  }
}

// offsetOf resolves to how many bytes of an upload the site has, or to null if it
// does not know the upload.
export async function offsetOf(address) {
  return look(address, new AbortController().signal).catch(() => null);
}

// forget has the site remove what it has of an upload.
export function forget(address) {
  return request("DELETE", address, { signal: new AbortController().signal }).catch(() => null);
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

async function create(file, to, signal, tell) {
  // RFC 8187 wants a few characters encoded that JavaScript leaves alone.
  const name = encodeURIComponent(file.name.toWellFormed()).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const answer = await request("POST", to, {
    signal,
    tell,
    headers: {
      "Content-Type": "application/octet-stream",
      "Content-Disposition": `attachment; filename*=UTF-8''${name}`,
      "Upload-Complete": "?0",
      "Upload-Length": file.size,
    },
  });
  return answer.header("Location");
}

async function look(address, signal, tell) {
  return Number((await request("HEAD", address, { signal, tell })).header("Upload-Offset"));
}

// append sends one part. Only the last one has an answer with a receipt.
async function append(file, address, offset, signal, tell) {
  const part = file.slice(offset, offset + PART);
  const isLast = offset + PART >= file.size;
  const answer = await request("PATCH", address, {
    signal,
    tell,
    headers: { "Content-Type": "application/partial-upload", "Upload-Offset": offset, "Upload-Complete": isLast ? "?1" : "?0" },
    body: part,
    moved: (bytes) => tell(isLast && bytes === part.size ? "storing" : "sending", offset + bytes),
  });
  return isLast ? answer.receipt() : null;
}

// request sends a request. fetch can't tell how much of a body is sent, so this
// takes XMLHttpRequest.
function request(method, url, { signal, tell = () => {}, headers = {}, body = null, moved = () => {} }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const over = new AbortController();
    let quiet, dead;
    const settle = (how, value) => {
      clearTimeout(quiet);
      clearTimeout(dead);
      over.abort();
      how(value);
    };
    const stop = (reason) => {
      settle(reject, reason);
      xhr.abort();
    };
    const watch = (isSent) => {
      clearTimeout(quiet);
      clearTimeout(dead);
      // What is sent may still lie on the way.
      quiet = setTimeout(tell, QUIET, "network");
      dead = setTimeout(() => stop(new Lost()), isSent ? ANSWER : DEAD);
    };
    signal.addEventListener("abort", () => stop(signal.reason), { signal: over.signal });
    xhr.upload.addEventListener("progress", (event) => {
      moved(event.loaded);
      watch(event.loaded === event.total);
    });
    xhr.addEventListener("error", () => settle(reject, new Lost()));
    xhr.addEventListener("load", () => {
      const { status } = xhr;
      const header = (name) => xhr.getResponseHeader(name);
      let answer = {};
      try {
        answer = JSON.parse(xhr.responseText);
      } catch {
        // Not from this site, a proxy's page perhaps: its status must do.
      }
      if (status >= 200 && status < 300) {
        settle(resolve, { header, receipt: () => answer.files[0] });
      } else if (status === 429 || status === 503) {
        settle(reject, new Busy(answer.detail ?? "The site is busy. Please send it again later.", header("Retry-After")));
      } else if (status === 404 || status === 410) {
        settle(reject, new Gone());
      } else if (status === 408 || status === 409 || (status >= 500 && status !== 507)) {
        settle(reject, new Lost()); // the next look tells where it is
      } else {
        settle(reject, new Failure(answer.detail ?? `Something on the way to us refused it (${status}). Please try another network.`));
      }
    });
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) {
      xhr.setRequestHeader(name, value);
    }
    watch(false);
    xhr.send(body);
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

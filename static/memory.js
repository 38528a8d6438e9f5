// Remembers where files are kept that were begun and not finished, so that the
// same file, chosen again after a reload, goes on where it was. What is known of
// a file is not proof enough that it is the same, so its first bytes count, too;
// browsers offer the digest, and locks, to pages of https and of this machine
// alone.

const PREFIX = "unfinished:";
const LIFE = 24 * 3600 * 1000; // ms
const HEAD = 1 << 20; // bytes

// keyOf resolves to a file's key, or to "" if it can't be remembered.
export async function keyOf(file) {
  try {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.slice(0, HEAD).arrayBuffer()));
    return PREFIX + [file.name, file.size, file.lastModified, digest.toHex?.() ?? digest.join("-")].join("/");
  } catch {
    return "";
  }
}

// recall returns the address that was kept under a key, or null.
export function recall(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return kept && Date.now() < kept.until ? kept.address : null;
  } catch {
    return null; // the storage is blocked, or holds what is not ours
  }
}

// keep keeps an address under a key, or forgets the key if it is null.
export function keep(key, address) {
  try {
    for (const old of Object.keys(localStorage)) {
      if (old.startsWith(PREFIX) && !recall(old)) {
        localStorage.removeItem(old);
      }
    }
    if (key && address) {
      localStorage.setItem(key, JSON.stringify({ address, until: Date.now() + LIFE }));
    } else {
      localStorage.removeItem(key);
    }
  } catch {
    // The storage is blocked or full: a reload starts over.
  }
}

// alone runs a function, and tells it whether this tab alone sends the file.
export function alone(key, run) {
  if (!key || !navigator.locks) {
    return run(true);
  }
  return navigator.locks.request(key, { ifAvailable: true }, (lock) => run(lock !== null));
}

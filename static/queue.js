// The files that a visitor chose, in that order, and where each of them is.
//
//   state     means                                   offers
//   chosen    the visitor has not sent it off yet     Start over, Remove
//   waiting   its turn will come                      Remove
//   sending   its bytes are on their way              Cancel
//   network   nothing gets through just now           Cancel
//   place     the site is busy, and takes it later    Cancel
//   storing   all is sent, and not yet answered       Cancel
//   stored    the site has said that it has it
//   failed    why, and what the visitor can do        Send again, Remove
//
// A file that is removed is not in the queue any more.

const NEXT = {
  chosen: ["waiting", "failed"],
  waiting: ["sending"],
  sending: ["network", "place", "storing", "stored", "failed"],
  network: ["sending", "place", "storing", "stored", "failed"],
  place: ["sending", "failed"],
  storing: ["sending", "network", "place", "stored", "failed"],
  stored: [],
  failed: ["waiting"],
};

// A file is being sent in one of these.
const UNDER_WAY = ["sending", "network", "place", "storing"];

export const queue = [];

// put adds a file. Drawing and sending keep what they need in the item, too.
export function put(file) {
  const item = {
    file,
    state: "chosen",
    sent: 0, // bytes
    reason: "", // why it failed, and what to do
    again: true, // whether it makes sense to send it again
    receipt: null, // once it is stored
    address: null, // of what the site has of it already
    before: 0, // bytes that the site had when the file was chosen
    round: false, // whether it is part of what is being sent now, see sums
  };
  queue.push(item);
  return item;
}

export function remove(item) {
  queue.splice(queue.indexOf(item), 1);
}

// set is the one place that changes a file's state.
export function set(item, state, more = {}) {
  if (state !== item.state && !NEXT[item.state].includes(state)) {
    throw new Error(`a file can't be ${state} after ${item.state}`);
  }
  Object.assign(item, { sent: 0 }, more, { state });
}

export const isUnderWay = (item) => UNDER_WAY.includes(item.state);
export const isRemovable = (item) => ["chosen", "waiting", "failed"].includes(item.state);
export const isToSend = (item) => item.state === "chosen" || (item.state === "failed" && item.again);
// What would be lost if the page were left now.
export const isUnsent = (item) => item.state === "waiting" || isUnderWay(item) || isToSend(item);

// sums counts what is sent in this round: what failed or was removed is not.
export function sums() {
  const part = queue.filter((item) => item.round && item.state !== "failed");
  const add = (value) => part.reduce((sum, item) => sum + value(item), 0);
  return {
    files: part.length,
    place: part.filter((item) => item.state === "stored").length + 1, // of the file that is being sent, from 1
    bytes: add((item) => item.file.size),
    sent: add((item) => (item.state === "stored" ? item.file.size : item.sent)),
  };
}

// Validates the room's events in one place. Most of them carry data from other clients, which may send
// anything: an event of the wrong shape is dropped, so the code behind this needs no checks of its own.
//
// Authorship is not checked here: the server sets `senderId` and `userId`. A name in another client's data is
// not trustworthy, so names are never read from it.

const LONGEST_ATTEMPT = 32;

/** Calls an event's handler with the validated content. */
export function listen(socket, handlers) {
  for (const [event, handler] of Object.entries(handlers)) {
    // The last argument is the event's offset, which only the Socket.IO client uses.
    socket.on(event, (content, second) => {
      const said = read(event, content);
      // The server gives the reason for a disconnect; old servers send none.
      if (said !== undefined) handler(said, event === "user-disconnected" && isText(second) ? second : undefined);
    });
  }
}

/** The content of an event, or undefined if it is malformed. */
export function read(event, content) {
  return READERS[event](content);
}

const READERS = {
  "existing-users": (ids) => (Array.isArray(ids) ? ids.filter(isUserId) : undefined),
  "user-connected": userId,
  "user-disconnected": userId,
  offer: (content) => signal(content, content?.offer, description("offer")),
  answer: (content) => signal(content, content?.answer, description("answer")),
  "ice-candidate": (content) => signal(content, content?.candidate, candidate),
  "chat-message": chat,
  "media-state": mediaState,
  "room-ended": nothing,
  removed: nothing,
  error: (content) => (isText(content?.code) ? { code: content.code } : undefined),
};

/** Only signals addressed to this user carry a sender; others are dropped. */
function signal(content, value, readValue) {
  const senderId = userId(content?.senderId);
  const read = senderId && readValue(value);
  return read && { senderId, value: read };
}

/** The type must be that of the event: the other side must not trigger a rollback. */
function description(type) {
  return (value) => (value?.type === type && isText(value.sdp) ? { type, sdp: value.sdp, ...attempt(value) } : undefined);
}

function candidate(value) {
  const { candidate, sdpMid = null, sdpMLineIndex = null, usernameFragment = null } = value ?? {};
  const placed = sdpMid !== null || sdpMLineIndex !== null;
  const fits = isText(candidate) && placed && isTextOrNull(sdpMid) && isIndexOrNull(sdpMLineIndex) && isTextOrNull(usernameFragment);
  return fits ? { candidate, sdpMid, sdpMLineIndex, usernameFragment, ...attempt(value) } : undefined;
}

/** Other clients name no attempt. Each of our answers and candidates repeats it. */
function attempt(value) {
  return isText(value.attempt) && value.attempt.length <= LONGEST_ATTEMPT ? { attempt: value.attempt } : {};
}

function chat(content) {
  const { id, userId, message, timestamp } = content ?? {};
  const fits = isText(id) && isUserId(userId) && isText(message) && isText(timestamp) && !Number.isNaN(Date.parse(timestamp));
  return fits ? { id, userId, message, timestamp } : undefined;
}

function mediaState(content) {
  const { userId, audio, video, screen } = content ?? {};
  const fits = isUserId(userId) && [audio, video, screen].every((flag) => typeof flag === "boolean");
  return fits ? { userId, media: { audio, video, screen } } : undefined;
}

/** For events without content. */
function nothing() {
  return {};
}

function userId(value) {
  return isUserId(value) ? value : undefined;
}

const isText = (value) => typeof value === "string";
const isTextOrNull = (value) => value === null || isText(value);
const isIndexOrNull = (value) => value === null || (Number.isInteger(value) && value >= 0 && value < 65_536);
const isUserId = (value) => isText(value) && /^[0-9a-f]{24}$/.test(value);

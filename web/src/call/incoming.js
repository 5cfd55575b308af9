// What comes from the room, read in one place. Other clients have said much of it, and they may say anything: what has
// not the shape of its event is dropped, so that nothing behind this has to look twice.
//
// Not judged here is who may say it: `senderId` and `userId` are the server's word. A name that stands in what
// another client says is nobody's word, so none is read.

/** Calls the handler of an event with what was read of it. */
export function listen(socket, handlers) {
  for (const [event, handler] of Object.entries(handlers)) {
    // One more argument, the last one, is the event's offset, which is the Socket.IO client's own business.
    socket.on(event, (content, second) => {
      const said = read(event, content);
      // Why somebody is gone is the server's word; old servers do not tell.
      if (said !== undefined) handler(said, event === "user-disconnected" && isText(second) ? second : undefined);
    });
  }
}

/** What an event says, or undefined where that is not well-formed. */
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

/** Only what was meant for us alone tells its sender. */
function signal(content, value, readValue) {
  const senderId = userId(content?.senderId);
  const read = senderId && readValue(value);
  return read && { senderId, value: read };
}

/** Rolling back is nothing that the other side decides, so the type is the event's. */
function description(type) {
  return (value) => (value?.type === type && isText(value.sdp) ? { type, sdp: value.sdp } : undefined);
}

function candidate(value) {
  const { candidate, sdpMid = null, sdpMLineIndex = null, usernameFragment = null } = value ?? {};
  const placed = sdpMid !== null || sdpMLineIndex !== null;
  const fits = isText(candidate) && placed && isTextOrNull(sdpMid) && isIndexOrNull(sdpMLineIndex) && isTextOrNull(usernameFragment);
  return fits ? { candidate, sdpMid, sdpMLineIndex, usernameFragment } : undefined;
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

/** The event itself says it all. */
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

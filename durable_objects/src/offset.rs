//! Offsets of events, `room.log.number`: the last argument of each, an opaque string to the client,
//! which brings the last one it saw when it comes back. The room is in it, so that nobody has to
//! remember where a client was; the rest is the room's own, as [`zetra_socketio::Log`] has it.

use zetra_domain::RoomId;

/// Characters that tell the logs of one room apart.
const RANDOM: usize = 8;

/// What the offsets of a new log of that room begin with.
pub(crate) fn tag(room: RoomId, random: &str) -> String {
    let random: String = random.chars().take(RANDOM).collect();
    [room.compact().as_str(), ".", &random].concat()
}

/// The room whose offset it is.
pub(crate) fn room(offset: &str) -> Option<RoomId> {
    RoomId::from_compact(offset.split('.').next()?).ok()
}

//! Offsets of events, `room.log.number`: the last argument of each, an opaque string to the client,
//! which brings the last one it saw when it comes back. The room is in it, so that nobody has to
//! remember where a client was; the rest is the room's own, as [`zetra_socketio::Log`] has it.

use std::borrow::Cow;

use zetra_domain::RoomId;
use zetra_signalling::Outgoing;
use zetra_socketio::{
    Emission,
    engine::{Frame, Mark},
};

/// Characters that tell the logs of one room apart.
const RANDOM: usize = 8;

/// What the offsets of a new log of that room begin with.
pub(crate) fn tag(room: RoomId, random: &str) -> String {
    let random: String = random.chars().take(RANDOM).collect();
    [room.compact().as_str(), ".", &random].concat()
}

/// The first number of a log that begins at that time: larger than any of a log before it, as no room
/// says 64 things in each millisecond for long. It stays below 2^48 until the year 2109.
pub(crate) fn first_mark(now: i64) -> Mark {
    Mark::try_from(now).map_or(1, |now| now << 6)
}

/// `42["name",arguments,"offset"]`, in which a relayed value is still the slice that came. What no room
/// gave has no offset.
pub(crate) fn emission<'a>(event: &Outgoing<'a>, offset: Option<&str>) -> Emission<'a> {
    let (head, relayed, closing) = event.arguments();
    let tail = match offset {
        Some(offset) => Cow::Owned([closing, ",\"", offset, "\""].concat()),
        None => Cow::Borrowed(closing),
    };
    let (name, arguments) = (Cow::Borrowed(event.name()), Frame { head, relayed, tail });
    Emission { name, arguments, ..Emission::default() }
}

/// The room whose offset it is.
pub(crate) fn room(offset: &str) -> Option<RoomId> {
    RoomId::from_compact(offset.split('.').next()?).ok()
}

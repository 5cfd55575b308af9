//! Offsets of events, `room.log.number`: the last argument of each event, an opaque string to the client,
//! which presents the last one it received when it returns. It contains the room, so that nothing else has to
//! remember where a client was; the rest belongs to the room, see [`zetra_socketio::Log`].

use std::borrow::Cow;

use zetra_domain::RoomId;
use zetra_signalling::Outgoing;
use zetra_socketio::{
    Emission,
    engine::{Frame, Mark},
};

/// The number of random characters that distinguish the logs of one room.
const RANDOM: usize = 8;

/// The prefix of the offsets of a new log of that room.
pub(crate) fn tag(room: RoomId, random: &str) -> String {
    let random: String = random.chars().take(RANDOM).collect();
    [room.compact().as_str(), ".", &random].concat()
}

/// The first number of a log that begins at that time. It is larger than any of an earlier log, as no room
/// sustains 64 events per millisecond for long, unless the clock was set back since: whoever knows the earlier log's
/// numbers stays above them. It stays below 2^48 until the year 2109.
pub(crate) fn first_mark(now: i64) -> Mark {
    Mark::try_from(now).map_or(1, |now| now << 6)
}

/// `42["name",arguments,"offset"]`, in which a relayed value is still the incoming slice. An event that no room
/// sent has no offset.
pub(crate) fn emission<'a>(event: &Outgoing<'a>, offset: Option<&str>) -> Emission<'a> {
    let (head, relayed, closing) = event.arguments();
    let tail = match offset {
        Some(offset) => Cow::Owned([closing, ",\"", offset, "\""].concat()),
        None => Cow::Borrowed(closing),
    };
    let (name, arguments) = (Cow::Borrowed(event.name()), Frame { head, relayed, tail });
    Emission { name, arguments, ..Emission::default() }
}

/// The number of an offset's event. Later events have larger ones, also in a later log of the same room.
pub(crate) fn number(offset: &str) -> Option<Mark> {
    offset.rsplit('.').next()?.parse().ok()
}

/// The room of an offset. `None` for what no room has sent; what is an offset needs no escaping in JSON.
pub(crate) fn room(offset: &str) -> Option<RoomId> {
    let is_plain = offset.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    RoomId::from_compact(offset.split('.').next().filter(|_| is_plain)?).ok()
}

//! A cursor reads what it writes, for its own list only, and nothing else is a cursor.

use arbitrary::{Arbitrary, Unstructured};
use zetra_domain::{CallLogId, Cursor, CursorKey, ObjectIds, RoomId, Timestamp};

use crate::{edited, secret};

#[derive(Arbitrary)]
struct Place {
    millis: i64,
    id: [u8; 16],
}

/// The bytes as they are, as a place in a list, and as changes of a good cursor.
pub(crate) fn run(data: &[u8]) {
    let key = CursorKey::new(&secret());
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(key.open::<RoomId>(text).is_err() && key.open::<CallLogId>(text).is_err(), "{text}");
    }
    let mut input = Unstructured::new(data);
    let Ok(Place { millis, id }) = Place::arbitrary(&mut input) else { return };
    let time = Timestamp::from_millis(millis);
    let of_rooms = Cursor { time, id: RoomId::from_random(id) };
    let seed = std::array::from_fn(|index| id[index]);
    let of_calls = Cursor { time, id: ObjectIds::new(seed).call_log(time) };
    let (rooms, calls) = (key.seal(&of_rooms), key.seal(&of_calls));
    assert_eq!(key.open(&rooms), Ok(of_rooms));
    assert_eq!(key.open(&calls), Ok(of_calls));
    assert!(key.open::<CallLogId>(&rooms).is_err() && key.open::<RoomId>(&calls).is_err());
    if let Some(changed) = edited(&rooms, input.take_rest()).filter(|changed| *changed != rooms) {
        assert!(key.open::<RoomId>(&changed).is_err(), "{changed}");
    }
}

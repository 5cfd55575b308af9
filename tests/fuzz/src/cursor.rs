//! A cursor reads what it writes, for its own list only, and nothing else is a cursor.
//!
//! libFuzzer sees what is compared, the right seals included, and comes up with good cursors by itself: so what is
//! good must be exactly what is written.

use arbitrary::{Arbitrary, Unstructured};
use zetra_domain::{CallLogId, Cursor, CursorId, CursorKey, ObjectIds, RoomId, Timestamp};

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
        is_ours::<RoomId>(&key, text);
        is_ours::<CallLogId>(&key, text);
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
    if let Some(changed) = edited(&rooms, input.take_rest()) {
        is_ours::<RoomId>(&key, &changed);
    }
}

fn is_ours<K: CursorId>(key: &CursorKey, text: &str) {
    if let Ok(cursor) = key.open::<K>(text) {
        assert_eq!(key.seal(&cursor), text);
    }
}

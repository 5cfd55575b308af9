//! Paging through lists by key: a page begins after the last row of the previous one, so rows that are inserted
//! in between cause neither gaps nor repetitions.

use crate::{CallLog, CallLogId, Cursor, Invalid, Room, RoomId, limits};

/// An item of a list sorted newest first, by a time and an id.
pub trait Listed {
    type Id;

    /// The place of this row, after which the next page begins.
    fn cursor(&self) -> Cursor<Self::Id>;
}

impl Listed for Room {
    type Id = RoomId;

    fn cursor(&self) -> Cursor<RoomId> {
        Cursor { time: self.created_at, id: self.id }
    }
}

impl<P> Listed for CallLog<P> {
    type Id = CallLogId;

    fn cursor(&self) -> Cursor<CallLogId> {
        Cursor { time: self.start, id: self.id }
    }
}

/// One page and, if there is more, the cursor of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T: Listed> {
    pub items: Vec<T>,
    pub next: Option<Cursor<T::Id>>,
}

impl<T: Listed> Page<T> {
    /// Cuts a list that was read one row past the limit.
    pub fn cut(mut items: Vec<T>, limit: PageLimit) -> Self {
        let limit = limit.get() as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(Listed::cursor);
        Self { items, next }
    }
}

/// How many rows a page has: 1–100, by default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// Absent or empty, it is 50.
    pub fn parse(text: Option<&str>) -> Result<Self, Invalid> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self(limits::PAGE_LIMIT_DEFAULT));
        };
        text.parse()
            .ok()
            .filter(|limit| limits::PAGE_LIMIT.contains(limit))
            .map(Self)
            .ok_or_else(|| Invalid::field("limit", "limit must be between 1 and 100"))
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ObjectIds, Timestamp};

    #[test]
    fn a_page_tells_where_the_next_begins_only_if_there_is_one() {
        let host = ObjectIds::new([1; 8]).user(Timestamp::from_millis(0));
        let room = |n: u8| Room::new(RoomId::from_random([n; 16]), host, Timestamp::from_millis(n.into()));
        let limit = PageLimit::parse(Some("2")).unwrap();
        let page = Page::cut(vec![room(3), room(2), room(1)], limit);
        assert_eq!((page.items.len(), page.next), (2, Some(room(2).cursor())));
        assert_eq!(Page::cut(vec![room(3), room(2)], limit).next, None);
    }

    #[test]
    fn limits_are_1_to_100() {
        for absent in [None, Some("")] {
            assert_eq!(PageLimit::parse(absent).map(PageLimit::get), Ok(50));
        }
        assert_eq!(PageLimit::parse(Some("100")).map(PageLimit::get), Ok(100));
        for text in ["0", "101", "-1", "ten", " ", "1.5"] {
            assert!(PageLimit::parse(Some(text)).is_err(), "{text}");
        }
    }
}

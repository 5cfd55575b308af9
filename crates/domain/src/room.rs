//! A room as it is stored: who may enter it. Who is in it right now is up to the Room object.

use std::fmt;

use serde::Serialize;

use crate::{Invalid, RoomId, Timestamp, UserId, Username, limits};

/// `{roomId, name, host, participants, active, locked, createdAt}`, everywhere in this shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Room {
    #[serde(rename = "roomId")]
    pub id: RoomId,
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: Option<RoomName>,
    pub host: UserId,
    /// In the order in which they joined; the host is the first unless it has passed on.
    pub participants: Vec<UserId>,
    pub active: bool,
    pub locked: bool,
    #[serde(rename = "createdAt")]
    pub created_at: Timestamp,
}

/// A room with its participants by name, in their order. Users whose accounts were deleted are omitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomWithPeople {
    #[serde(flatten)]
    pub room: Room,
    pub people: Vec<Participant>,
}

/// A participant by name, `{id, username}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Participant {
    pub id: UserId,
    pub username: Username,
}

/// 1–80 characters (Unicode code points), none of them a control character, without white space around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RoomName(String);

impl RoomName {
    /// `text` without control characters, as [`Fields::text`](crate::Fields::text) gives it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let name = text.trim();
        if name.is_empty() {
            return Err(Invalid::field("name", "Room name must be at least 1 character long"));
        }
        if name.chars().count() > limits::ROOM_NAME_CHARS {
            return Err(Invalid::field("name", "Room name must be at most 80 characters long"));
        }
        Ok(Self(name.to_owned()))
    }

    /// A name that is already stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change that a host makes to its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    End,
    /// `None` removes the name.
    Rename(Option<RoomName>),
    /// The user is no longer a participant and cannot become one.
    Remove(UserId),
    /// A removed user may join again.
    Readmit(UserId),
    /// Nobody can become a participant.
    Lock,
    Unlock,
}

/// For the log, which has no text of a user's.
impl fmt::Display for RoomChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("end"),
            Self::Rename(_) => f.write_str("rename"),
            Self::Remove(user) => write!(f, "remove {user}"),
            Self::Readmit(user) => write!(f, "readmit {user}"),
            Self::Lock => f.write_str("lock"),
            Self::Unlock => f.write_str("unlock"),
        }
    }
}

impl Room {
    /// A new room without a name: its creator is the host and first participant.
    pub fn new(id: RoomId, host: UserId, created_at: Timestamp) -> Self {
        Self { id, name: None, host, participants: vec![host], active: true, locked: false, created_at }
    }

    pub fn admits(&self, user: UserId) -> bool {
        self.participants.contains(&user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectIds;

    #[test]
    fn a_room_name_is_trimmed_and_counted_in_characters() {
        let parsed = |text: &str| RoomName::parse(text).map(|name| name.as_str().to_owned());
        assert_eq!(parsed("  Stand-up  "), Ok("Stand-up".to_owned()));
        assert_eq!(parsed(&"é".repeat(80)), Ok("é".repeat(80)));
        let message = |text: &str| parsed(text).unwrap_err().message;
        assert_eq!(message("   "), "Room name must be at least 1 character long");
        assert_eq!(message(&"é".repeat(81)), "Room name must be at most 80 characters long");
    }

    #[test]
    fn a_room_with_its_people_is_the_room_and_one_member_more() {
        let now = Timestamp::from_millis(0);
        let host = ObjectIds::new([1; 8]).user(now);
        let room = Room::new(RoomId::from_random([1; 16]), host, now);
        let mut expected = serde_json::to_value(&room).unwrap();
        expected["people"] = serde_json::json!([{ "id": host, "username": "ann" }]);
        let people = vec![Participant { id: host, username: Username::parse("ann").unwrap() }];
        assert_eq!(serde_json::to_value(RoomWithPeople { room, people }).unwrap(), expected);
    }
}

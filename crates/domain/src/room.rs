//! A room as it is stored: who may enter it. Who is in it right now is the Room object's to say.

use serde::Serialize;

use crate::{RoomId, Timestamp, UserId, Username};

/// `{roomId, host, participants, active, locked, createdAt}`, everywhere in this shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Room {
    #[serde(rename = "roomId")]
    pub id: RoomId,
    pub host: UserId,
    /// In the order in which they joined; the host is the first unless it has passed on.
    pub participants: Vec<UserId>,
    pub active: bool,
    pub locked: bool,
    #[serde(rename = "createdAt")]
    pub created_at: Timestamp,
}

/// A room with its participants by name, in their order; who has no account any more is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomWithPeople {
    #[serde(flatten)]
    pub room: Room,
    pub people: Vec<Participant>,
}

/// A participant by name, `{id, username}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Participant {
    pub id: UserId,
    pub username: Username,
}

impl Room {
    /// A new room: its maker is host and first participant.
    pub fn new(id: RoomId, host: UserId, created_at: Timestamp) -> Self {
        Self { id, host, participants: vec![host], active: true, locked: false, created_at }
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

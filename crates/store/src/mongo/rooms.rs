//! Rooms in MongoDB, and who may enter them.

use serde_json::json;
use zetra_domain::{Cursor, Page, PageLimit, Room, RoomId, RoomWithPeople, UserId, limits};

use super::{
    MongoStore, ROOMS, Result, USERS,
    data_api::{CallError, Http},
    documents::{document, people},
    ejson::{Document, date, object_id},
    pipeline::{Sort, Stage, after},
};
use crate::{
    Admission, Join, Membership, StoreError,
    record::{Record, honoured_tokens, room, room_fields},
};

impl<H: Http> MongoStore<H> {
    pub(super) async fn create_room(&self, room: &Room) -> Result<()> {
        match self.api.insert_one(ROOMS, document(room_fields(room)).into()).await {
            // A random UUID that is there already is there by an earlier attempt of ours.
            Ok(()) | Err(CallError::Duplicate) => Ok(()),
            Err(CallError::Store(error)) => Err(error),
        }
    }

    pub(super) async fn join(&self, id: RoomId, user: UserId) -> Result<Join> {
        let last = format!("participants.{}", limits::ROOM_PARTICIPANTS - 1);
        let guard = json!({ "roomId": id.to_string(), "active": true, last: { "$exists": false } });
        let update = json!({ "$addToSet": { "participants": object_id(user) } });
        self.api.update_one(ROOMS, guard, update, false).await?;
        let joined = vec![
            json!({ "$match": { "_id": object_id(user) } }).into(),
            json!({ "$project": { "_id": 1 } }).into(),
        ];
        let joined = Stage::lookup(USERS, joined, "joined");
        let Some(found) = self.room_with(id, [joined]).await? else { return Ok(Join::NotFound) };
        let room = room(&found)?;
        if room.active && found.documents("joined")?.is_empty() {
            // The account was deleted meanwhile, perhaps after it had left its rooms.
            self.leave_all_rooms(user).await?;
            return Ok(Join::NotFound);
        }
        Ok(match room {
            room if !room.active => Join::NotFound,
            room if room.admits(user) => Join::Joined(room),
            _ => Join::Full,
        })
    }

    pub(super) async fn room_with_people(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        let users = Stage::by_id(USERS, "participants", "people");
        // Hashes stay where they are.
        let shown = json!({ "$project": {
            "roomId": 1, "host": 1, "participants": 1, "active": 1, "locked": 1, "createdAt": 1,
            "people._id": 1, "people.username": 1,
        } });
        let Some(found) = self.room_with(id, [users, shown.into()]).await? else { return Ok(None) };
        let room = room(&found)?;
        Ok(Some(RoomWithPeople { people: people(&found, &room.participants)?, room }))
    }

    pub(super) async fn page_of_rooms(
        &self,
        user: UserId,
        limit: PageLimit,
        cursor: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>> {
        let mut filter = json!({ "participants": object_id(user) });
        if let Some(cursor) = cursor {
            filter = json!({ "$and": [
                filter,
                after("createdAt", date(cursor.time), "roomId", cursor.id.to_string().into()),
            ] });
        }
        let sort = Sort(&[("createdAt", -1), ("roomId", -1)]);
        let found = self.api.find(ROOMS, filter, None, Some(sort), limit.get() + 1).await?;
        Ok(Page::cut(found.iter().map(room).collect::<Result<_>>()?, limit))
    }

    pub(super) async fn active_rooms(&self, user: UserId) -> Result<Vec<RoomId>> {
        let filter = json!({ "participants": object_id(user), "active": true });
        let projection = Some(json!({ "_id": 0, "roomId": 1 }));
        let newest = Some(Sort(&[("createdAt", -1)]));
        let found = self.api.find(ROOMS, filter, projection, newest, limits::ACTIVE_ROOMS).await?;
        found.iter().map(|room| room.parsed("roomId")).collect()
    }

    pub(super) async fn admission_to(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let tokens = json!({ "$project": { "_id": 0, "tokenVersion": 1, "keptToken": 1 } });
        let member = json!({ "$in": [object_id(user), { "$ifNull": ["$participants", []] }] });
        let room = vec![
            json!({ "$match": { "roomId": room.to_string(), "active": true } }).into(),
            json!({ "$limit": 1 }).into(),
            json!({ "$project": { "_id": 0, "member": member } }).into(),
        ];
        let pipeline = vec![
            json!({ "$match": { "_id": object_id(user) } }).into(),
            // One document whether there is a user or not, so that the room is told in either case.
            json!({ "$facet": { "user": [tokens] } }).into(),
            Stage::lookup(ROOMS, room, "room"),
        ];
        let found = self.api.aggregate(USERS, pipeline).await?;
        let found = found.first().ok_or_else(|| StoreError::Corrupt("no admission".to_owned()))?;
        let member = found.documents("room")?.first().map(|room| room.optional_bool("member")).transpose()?;
        let membership = match member {
            None => Membership::RoomNotFound,
            Some(Some(true)) => Membership::Participant,
            Some(Some(false) | None) => Membership::NotParticipant,
        };
        let tokens = found.documents("user")?.first().map(honoured_tokens).transpose()?;
        Ok(Admission { membership, tokens })
    }

    /// A room with what a `$lookup` puts beside it, in one round trip.
    pub(super) async fn room_with(
        &self,
        id: RoomId,
        lookup: impl IntoIterator<Item = Stage>,
    ) -> Result<Option<Document>> {
        let room = json!({ "$match": { "roomId": id.to_string() } });
        let mut pipeline = vec![room.into(), json!({ "$limit": 1 }).into()];
        pipeline.extend(lookup);
        Ok(self.api.aggregate(ROOMS, pipeline).await?.into_iter().next())
    }

    /// Takes a user out of every room in one update each: a room it hosted passes to its oldest other
    /// participant, one without any ends.
    pub(super) async fn leave_all_rooms(&self, user: UserId) -> Result<()> {
        let user = object_id(user);
        let size = json!({ "$size": "$participants" });
        let hosted = json!({ "$eq": ["$host", user] });
        let first = json!({ "$arrayElemAt": ["$participants", 0] });
        let leave = json!({ "$set": {
            "participants": { "$filter": { "input": "$participants", "cond": { "$ne": ["$$this", user] } } },
            "host": { "$ifNull": ["$host", first] },
        } });
        let pass_on = json!({ "$set": {
            "active": { "$and": ["$active", { "$not": [{ "$and": [hosted, { "$eq": [size, 0] }] }] }] },
            "host": { "$cond": [{ "$and": [hosted, { "$gt": [size, 0] }] }, first, "$host"] },
        } });
        let update = json!([leave, pass_on]);
        self.api.update_many(ROOMS, json!({ "participants": user }), update).await
    }
}

//! Rooms in MongoDB, and who may enter them.

use serde_json::{Value, json};
use zetra_domain::{
    Cursor, Page, PageLimit, Room, RoomChange, RoomId, RoomName, RoomWithPeople, UserId, limits,
};

use super::{
    MongoStore, ROOMS, Result, USERS,
    data_api::{CallError, Http},
    documents::{document, people},
    ejson::{Document, date, object_id},
    pipeline::{Sort, Stage, after},
};
use crate::{
    Admission, Join, Membership, RoomChanged, StoreError,
    record::{Record, honoured_tokens, room, room_fields},
};

/// How often a join is retried because the obstacle was gone when we looked.
const JOIN_ATTEMPTS: usize = 3;
/// What [`room`] reads: neither who was removed nor a call that is being written.
const ROOM_FIELDS: [&str; 7] = ["roomId", "name", "host", "participants", "active", "locked", "createdAt"];

impl<H: Http> MongoStore<H> {
    pub(super) async fn create_room(&self, room: &Room) -> Result<bool> {
        match self.api.insert_one(ROOMS, document(room_fields(room)).into()).await {
            // A random UUID that exists already was inserted by an earlier attempt of ours.
            Ok(()) | Err(CallError::Duplicate) => {}
            Err(CallError::Store(error)) => return Err(error),
        }
        let has_host = self.api.find_one(USERS, json!({ "_id": object_id(room.host) })).await?.is_some();
        if !has_host {
            // The account was deleted in the meantime, perhaps after it had left its rooms.
            self.leave_all_rooms(room.host).await?;
        }
        Ok(has_host)
    }

    pub(super) async fn join(&self, id: RoomId, user: UserId) -> Result<Join> {
        let last = format!("participants.{}", limits::ROOM_PARTICIPANTS - 1);
        let guard = json!({
            "roomId": id.to_string(),
            "active": true,
            "locked": { "$ne": true },
            "removed": { "$ne": object_id(user) },
            last: { "$exists": false },
        });
        let update = json!({ "$addToSet": { "participants": object_id(user) } });
        for _ in 0..JOIN_ATTEMPTS {
            self.api.update_one(ROOMS, guard.clone(), update.clone(), false).await?;
            if let Some(join) = self.joined(id, user).await? {
                return Ok(join);
            }
        }
        Err(StoreError::Unavailable("a room that changes all the time".to_owned()))
    }

    /// The outcome of a join; `None` if nothing prevents it any longer.
    async fn joined(&self, id: RoomId, user: UserId) -> Result<Option<Join>> {
        let joined = vec![
            json!({ "$match": { "_id": object_id(user) } }).into(),
            json!({ "$project": { "_id": 1 } }).into(),
        ];
        let joined = Stage::lookup(USERS, joined, "joined");
        let Some(found) = self.room_with(id, [joined]).await? else { return Ok(Some(Join::NotFound)) };
        let room = room(&found)?;
        if room.active && found.documents("joined")?.is_empty() {
            // The account was deleted in the meantime, perhaps after it had left its rooms.
            self.leave_all_rooms(user).await?;
            return Ok(Some(Join::NotFound));
        }
        Ok(match room {
            room if !room.active => Some(Join::NotFound),
            room if room.admits(user) => Some(Join::Joined(room)),
            _ if is_removed(&found, user)? => Some(Join::Removed),
            room if room.locked => Some(Join::Locked),
            room if room.participants.len() >= limits::ROOM_PARTICIPANTS => Some(Join::Full),
            _ => None,
        })
    }

    pub(super) async fn change(&self, id: RoomId, host: UserId, change: &RoomChange) -> Result<RoomChanged> {
        let host_id = object_id(host);
        // A room of the Node backend has no host field: its host is the first participant.
        let first = json!({ "host": { "$exists": false }, "participants.0": host_id });
        let is_host = json!({ "$or": [{ "host": host_id }, first] });
        let set = |field: &str, value: Value| json!({ "$set": { "host": host_id, field: value } });
        let (concerns, update) = match change {
            RoomChange::End => (json!({}), set("active", false.into())),
            RoomChange::Rename(name) => (json!({}), set("name", name.as_ref().map(RoomName::as_str).into())),
            RoomChange::Lock => (json!({}), set("locked", true.into())),
            RoomChange::Unlock => (json!({}), set("locked", false.into())),
            RoomChange::Remove(user) => {
                let user = object_id(*user);
                let update = json!({
                    "$set": { "host": host_id },
                    "$pull": { "participants": user },
                    "$addToSet": { "removed": user },
                });
                (json!({ "participants": user }), update)
            }
            RoomChange::Readmit(user) => {
                let user = object_id(*user);
                (
                    json!({ "removed": user }),
                    json!({ "$set": { "host": host_id }, "$pull": { "removed": user } }),
                )
            }
        };
        let guard = json!({ "$and": [{ "roomId": id.to_string(), "active": true }, is_host, concerns] });
        let reply = self.api.update_one(ROOMS, guard, update, false).await?;
        let Some(found) = self.room_with(id, []).await? else { return Ok(RoomChanged::NotFound) };
        let room = room(&found)?;
        // If an earlier attempt got no answer, it may have made the change that we now see.
        let is_so = room.host == host
            && match change {
                RoomChange::End => !room.active,
                // The guard takes no ended room.
                RoomChange::Remove(user) => room.active && !room.admits(*user) && is_removed(&found, *user)?,
                RoomChange::Readmit(user) => room.active && !is_removed(&found, *user)?,
                RoomChange::Rename(_) | RoomChange::Lock | RoomChange::Unlock => false,
            };
        Ok(RoomChanged::new(Some(room), host, reply.value > 0 || (reply.retried && is_so)))
    }

    pub(super) async fn room_with_people(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        let users = Stage::by_id(USERS, "participants", "people");
        // Leaves password hashes in the database.
        let fields = ROOM_FIELDS.into_iter().chain(["people._id", "people.username"]);
        let shown = json!({ "$project": projection(fields) });
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
        let found =
            self.api.find(ROOMS, filter, Some(projection(ROOM_FIELDS)), Some(sort), limit.get() + 1).await?;
        Ok(Page::cut(found.iter().map(room).collect::<Result<_>>()?, limit))
    }

    pub(super) async fn admission_to(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let tokens = json!({ "$project": { "_id": 0, "tokenVersion": 1, "keptToken": 1 } });
        let lists = |list: &str| json!({ "$in": [object_id(user), { "$ifNull": [list, []] }] });
        let room = vec![
            json!({ "$match": { "roomId": room.to_string(), "active": true } }).into(),
            json!({ "$limit": 1 }).into(),
            json!({ "$project": {
                "_id": 0, "participant": lists("$participants"), "removed": lists("$removed"), "locked": 1,
            } })
            .into(),
        ];
        let pipeline = vec![
            json!({ "$match": { "_id": object_id(user) } }).into(),
            // One document whether the user exists or not, so that the room is returned in either case.
            json!({ "$facet": { "user": [tokens] } }).into(),
            Stage::lookup(ROOMS, room, "room"),
        ];
        let found = self.api.aggregate(USERS, pipeline).await?;
        let found = found.first().ok_or_else(|| StoreError::Corrupt("no admission".to_owned()))?;
        let rooms = found.documents("room")?;
        let yes = |room: &Document, field| room.optional_bool(field).map(|yes| yes == Some(true));
        let membership = match rooms.first() {
            None => Membership::RoomNotFound,
            Some(room) if yes(room, "participant")? => Membership::Participant,
            Some(room) if yes(room, "removed")? => Membership::Removed,
            Some(room) if yes(room, "locked")? => Membership::LockedOut,
            Some(_) => Membership::NotParticipant,
        };
        let tokens = found.documents("user")?.first().map(honoured_tokens).transpose()?;
        Ok(Admission { membership, tokens })
    }

    /// A room with the result of a `$lookup` beside it, in one round trip.
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

    /// Removes a user from every room in one update each: a room it hosted passes to its oldest other
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

/// The ids of the newest active rooms of a user.
pub(super) fn active_rooms(user: UserId) -> Vec<Stage> {
    vec![
        json!({ "$match": { "participants": object_id(user), "active": true } }).into(),
        Stage::sort(&[("createdAt", -1)]),
        json!({ "$limit": limits::ACTIVE_ROOMS }).into(),
        json!({ "$project": { "_id": 0, "roomId": 1 } }).into(),
    ]
}

fn projection<'a>(fields: impl IntoIterator<Item = &'a str>) -> Value {
    fields.into_iter().map(|field| (field.to_owned(), Value::from(1))).collect()
}

fn is_removed(room: &Document, user: UserId) -> Result<bool> {
    Ok(room.optional_ids("removed")?.unwrap_or_default().contains(&user))
}

#[cfg(test)]
mod tests;

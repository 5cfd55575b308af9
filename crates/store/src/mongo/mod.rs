//! The store in MongoDB, through its HTTP Data API.
//!
//! The collections, their names and types are the Node backend's, so that its database is taken over as
//! it is ([`documents`]). The Data API has neither transactions nor findOneAndUpdate: an operation is
//! one call where one can do, and a guarded `updateOne`, judged by how many documents matched, is the
//! atomic step. Uniqueness is the indexes' of `mongo-indexes.json`, which `data-api/` makes.

mod calls;
mod data_api;
mod documents;
mod ejson;

use async_trait::async_trait;
use serde_json::{Value, json};
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, Page, PageLimit, PasswordHash, Person, Room, RoomId,
    RoomWithPeople, Timestamp, TokenFingerprint, UserId, Username, limits,
};

pub use data_api::{DataSource, Http, HttpAnswer, HttpError};

use data_api::{CallError, DataApi, Stage, after};
use documents::{document, people};
use ejson::{Document, Sort, date, object_id};

use crate::{
    Account, Admission, Ended, Join, Membership, NewUser, ProfileUpdate, Recorded, Store, StoreError, Taken,
    record::{Record, account, honoured_tokens, room, room_fields, user_fields},
};

type Result<T> = std::result::Result<T, StoreError>;

const USERS: &str = "users";
const ROOMS: &str = "rooms";
const CALLS: &str = "calllogs";

/// Times an insertion is tried again because who had the name was gone when we looked.
const INSERT_ATTEMPTS: usize = 3;

pub struct MongoStore<H> {
    api: DataApi<H>,
}

impl<H: Http> MongoStore<H> {
    pub fn new(http: H, source: DataSource) -> Self {
        Self { api: DataApi::new(http, source) }
    }

    /// Who else has one of these names. The server's own words for it are no help: each has others.
    async fn holders(
        &self,
        id: UserId,
        username: Option<&Username>,
        email: Option<&Email>,
    ) -> Result<Holders> {
        let names = [
            username.map(|username| json!({ "username": username.as_str() })),
            email.map(|email| json!({ "email": email.as_str() })),
        ];
        let names: Vec<Value> =
            names.into_iter().flatten().chain([json!({ "_id": object_id(id) })]).collect();
        let found = self.api.find(USERS, json!({ "$or": names }), None, None, 3).await?;
        let mut holders = Holders::default();
        for account in found.iter().map(account) {
            let user = account?.user;
            if user.id == id {
                holders.own = true;
                continue;
            }
            holders.username |= Some(&user.username) == username;
            holders.email |= Some(&user.email) == email;
        }
        Ok(holders)
    }
}

#[derive(Default)]
struct Holders {
    own: bool,
    username: bool,
    email: bool,
}

#[async_trait]
impl<H: Http> Store for MongoStore<H> {
    async fn ping(&self) -> Result<()> {
        let nobody = json!({ "_id": { "$oid": "0".repeat(24) } });
        self.api.find_one(USERS, nobody).await.map(|_| ())
    }

    async fn insert_user(&self, new: &NewUser) -> Result<std::result::Result<(), Taken>> {
        for _ in 0..INSERT_ATTEMPTS {
            match self.api.insert_one(USERS, document(user_fields(new)).into()).await {
                Ok(()) => return Ok(Ok(())),
                Err(CallError::Store(error)) => return Err(error),
                Err(CallError::Duplicate) => {}
            }
            let user = &new.user;
            let holders = self.holders(user.id, Some(&user.username), Some(&user.email)).await?;
            match holders {
                // An earlier attempt of ours, whose answer was lost.
                Holders { own: true, .. } => return Ok(Ok(())),
                Holders { email: true, .. } => return Ok(Err(Taken::Email)),
                Holders { username: true, .. } => return Ok(Err(Taken::Username)),
                Holders { .. } => {}
            }
        }
        Err(StoreError::Unavailable("a name is taken by nobody".to_owned()))
    }

    async fn account(&self, id: UserId) -> Result<Option<Account>> {
        self.api.find_one(USERS, json!({ "_id": object_id(id) })).await?.as_ref().map(account).transpose()
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>> {
        self.api.find_one(USERS, json!({ "email": email.as_str() })).await?.as_ref().map(account).transpose()
    }

    async fn update_profile(
        &self,
        id: UserId,
        username: Option<&Username>,
        email: Option<&Email>,
    ) -> Result<ProfileUpdate> {
        let mut changes = serde_json::Map::new();
        changes.extend(username.map(|username| ("username".to_owned(), username.as_str().into())));
        changes.extend(email.map(|email| ("email".to_owned(), email.as_str().into())));
        let filter = json!({ "_id": object_id(id) });
        for _ in 0..INSERT_ATTEMPTS {
            match self.api.update_one(USERS, filter.clone(), json!({ "$set": &changes }), false).await {
                Ok(_) => {
                    let account = self.account(id).await?;
                    return Ok(
                        account.map_or(ProfileUpdate::Gone, |account| ProfileUpdate::Updated(account.user))
                    );
                }
                Err(CallError::Store(error)) => return Err(error),
                Err(CallError::Duplicate) => {}
            }
            match self.holders(id, username, email).await? {
                Holders { username: true, .. } => return Ok(ProfileUpdate::Taken(Taken::Username)),
                Holders { email: true, .. } => return Ok(ProfileUpdate::Taken(Taken::Email)),
                Holders { .. } => {}
            }
        }
        Err(StoreError::Unavailable("a name is taken by nobody".to_owned()))
    }

    async fn change_password(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
        kept: &TokenFingerprint,
    ) -> Result<Option<i64>> {
        let filter = json!({ "_id": object_id(id), "passwordHash": from.expose() });
        let update = json!({
            "$set": { "passwordHash": to.expose(), "keptToken": kept.as_str() },
            "$inc": { "tokenVersion": 1 },
        });
        self.api.update_one(USERS, filter, update, false).await?;
        // A salted hash is ours alone: found here, the change was made, by whichever attempt.
        let changed = json!({ "_id": object_id(id), "passwordHash": to.expose() });
        let changed = self.api.find_one(USERS, changed).await?;
        changed.map(|document| document.integer("tokenVersion")).transpose()
    }

    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()> {
        let filter = json!({ "_id": object_id(id), "passwordHash": from.expose() });
        let update = json!({ "$set": { "passwordHash": to.expose() } });
        self.api.update_one(USERS, filter, update, false).await?;
        Ok(())
    }

    async fn delete_user(&self, id: UserId) -> Result<()> {
        // The account goes last: whoever is told that this failed can ask again.
        self.leave_all_rooms(id).await?;
        self.api.delete_one(USERS, json!({ "_id": object_id(id) })).await
    }

    async fn insert_room(&self, room: &Room) -> Result<()> {
        match self.api.insert_one(ROOMS, document(room_fields(room)).into()).await {
            // A random UUID that is there already is there by an earlier attempt of ours.
            Ok(()) | Err(CallError::Duplicate) => Ok(()),
            Err(CallError::Store(error)) => Err(error),
        }
    }

    async fn join_room(&self, id: RoomId, user: UserId) -> Result<Join> {
        let last = format!("participants.{}", limits::ROOM_PARTICIPANTS - 1);
        let guard = json!({ "roomId": id.to_string(), "active": true, last: { "$exists": false } });
        let update = json!({ "$addToSet": { "participants": object_id(user) } });
        self.api.update_one(ROOMS, guard, update, false).await?;
        let joined = json!({ "$lookup": {
            "from": USERS,
            "pipeline": [{ "$match": { "_id": object_id(user) } }, { "$project": { "_id": 1 } }],
            "as": "joined",
        } });
        let Some(found) = self.room_with(id, [joined.into()]).await? else { return Ok(Join::NotFound) };
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

    async fn room(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        let users = json!({ "$lookup": {
            "from": USERS, "localField": "participants", "foreignField": "_id", "as": "people",
        } });
        // Hashes stay where they are.
        let shown = json!({ "$project": {
            "roomId": 1, "host": 1, "participants": 1, "active": 1, "locked": 1, "createdAt": 1,
            "people._id": 1, "people.username": 1,
        } });
        let Some(found) = self.room_with(id, [users.into(), shown.into()]).await? else { return Ok(None) };
        let room = room(&found)?;
        Ok(Some(RoomWithPeople { people: people(&found, &room.participants)?, room }))
    }

    async fn rooms_of(
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

    async fn active_rooms_of(&self, user: UserId) -> Result<Vec<RoomId>> {
        let filter = json!({ "participants": object_id(user), "active": true });
        let projection = Some(json!({ "_id": 0, "roomId": 1 }));
        let newest = Some(Sort(&[("createdAt", -1)]));
        let found = self.api.find(ROOMS, filter, projection, newest, limits::ACTIVE_ROOMS).await?;
        found.iter().map(|room| room.parsed("roomId")).collect()
    }

    async fn admission(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let tokens = json!({ "$project": { "_id": 0, "tokenVersion": 1, "keptToken": 1 } });
        let member = json!({ "$in": [object_id(user), { "$ifNull": ["$participants", []] }] });
        let room = json!({ "$lookup": {
            "from": ROOMS,
            "pipeline": [
                { "$match": { "roomId": room.to_string(), "active": true } },
                { "$limit": 1 },
                { "$project": { "_id": 0, "member": member } },
            ],
            "as": "room",
        } });
        let pipeline = vec![
            json!({ "$match": { "_id": object_id(user) } }).into(),
            // One document whether there is a user or not, so that the room is told in either case.
            json!({ "$facet": { "user": [tokens] } }).into(),
            room.into(),
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

    async fn record_call(&self, id: CallLogId, call: &Call, now: Timestamp) -> Result<Recorded> {
        crate::calls::record(self, id, call, now).await
    }

    async fn end_call(
        &self,
        write: CallLogId,
        room: RoomId,
        user: UserId,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Ended> {
        crate::calls::end_call(self, write, room, user, end, now).await
    }

    async fn calls_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<CallLogId>>,
        now: Timestamp,
    ) -> Result<Page<CallLog<Option<Person>>>> {
        self.page_of_calls(user, limit, after, now).await
    }

    async fn call_stats(&self, user: UserId, now: Timestamp) -> Result<CallStats> {
        self.stats_of_calls(user, now).await
    }
}

impl<H: Http> MongoStore<H> {
    /// A room with what a `$lookup` puts beside it, in one round trip.
    async fn room_with(
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
    async fn leave_all_rooms(&self, user: UserId) -> Result<()> {
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

//! The store in MongoDB, through its HTTP Data API.
//!
//! The collections, their names and types are the Node backend's, so that its database can be taken over as it
//! is ([`documents`]). The Data API has neither transactions nor findOneAndUpdate: an operation is one call
//! where one is enough, and the atomic step is a guarded `updateOne`, judged by how many documents matched.
//! Uniqueness is enforced by the indexes in `mongo-indexes.json`, which `data-api/` creates.

mod call_lists;
mod calls;
mod data_api;
mod documents;
mod ejson;
mod pipeline;
mod rooms;
#[cfg(test)]
mod scripted;

use async_trait::async_trait;
use serde_json::{Value, json};
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, Page, PageLimit, PasswordHash, Person, Room,
    RoomChange, RoomId, RoomWithPeople, Timestamp, TokenFingerprint, UserId, Username,
};

pub use data_api::{DataSource, Http, HttpAnswer, HttpError};

use data_api::{CallError, DataApi};
use documents::document;
use ejson::object_id;
use pipeline::Stage;

use crate::{
    Account, Admission, Ended, Join, NewUser, PasswordChange, ProfileUpdate, Recorded, RoomCall, RoomChanged,
    Store, StoreError, Taken,
    record::{Record, account, user_fields},
};

type Result<T> = std::result::Result<T, StoreError>;

const USERS: &str = "users";
const ROOMS: &str = "rooms";
const CALLS: &str = "calllogs";

/// How often a name is tried again because the user that held it was gone when we looked.
const NAME_ATTEMPTS: usize = 3;

pub struct MongoStore<H> {
    api: DataApi<H>,
}

impl<H: Http> MongoStore<H> {
    pub fn new(http: H, source: DataSource) -> Self {
        Self { api: DataApi::new(http, source) }
    }

    /// Which other user has one of these names. The server's own message is no help: every server words it
    /// differently.
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
        for _ in 0..NAME_ATTEMPTS {
            match self.api.insert_one(USERS, document(user_fields(new)).into()).await {
                Ok(()) => return Ok(Ok(())),
                Err(CallError::Store(error)) => return Err(error),
                Err(CallError::Duplicate) => {}
            }
            let user = &new.user;
            let holders = self.holders(user.id, Some(&user.username), Some(&user.email)).await?;
            match holders {
                // The result of an earlier attempt of ours, whose answer was lost.
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
        for _ in 0..NAME_ATTEMPTS {
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
    ) -> Result<Option<PasswordChange>> {
        let filter = json!({ "_id": object_id(id), "passwordHash": from.expose() });
        let update = json!({
            "$set": { "passwordHash": to.expose(), "keptToken": kept.as_str() },
            "$inc": { "tokenVersion": 1 },
        });
        self.api.update_one(USERS, filter, update, false).await?;
        // A salted hash is unique to this change: if it is found here, one of our attempts made the change.
        let changed = json!({ "$match": { "_id": object_id(id), "passwordHash": to.expose() } });
        let version = json!({ "$project": { "_id": 0, "tokenVersion": 1 } });
        let rooms = Stage::lookup(ROOMS, rooms::active_rooms(id), "rooms");
        let found = self.api.aggregate(USERS, vec![changed.into(), version.into(), rooms]).await?;
        let Some(changed) = found.first() else { return Ok(None) };
        let rooms = changed.documents("rooms")?;
        let rooms = rooms.iter().map(|room| room.parsed("roomId")).collect::<Result<_>>()?;
        Ok(Some(PasswordChange { version: changed.integer("tokenVersion")?, rooms }))
    }

    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()> {
        let filter = json!({ "_id": object_id(id), "passwordHash": from.expose() });
        let update = json!({ "$set": { "passwordHash": to.expose() } });
        self.api.update_one(USERS, filter, update, false).await?;
        Ok(())
    }

    async fn delete_user(&self, id: UserId, from: &PasswordHash) -> Result<Option<Vec<RoomId>>> {
        // It is decided here: a password that is changed from now on is that of an account that is about to go.
        let own = json!({ "_id": object_id(id), "passwordHash": from.expose() });
        if self.api.find_one(USERS, own).await?.is_none() {
            return Ok(None);
        }
        let mut rooms = self.active_rooms_of(id).await?;
        // The account goes last, so that a client that receives an error can try again.
        self.leave_all_rooms(id).await?;
        self.api.delete_one(USERS, json!({ "_id": object_id(id) })).await?;
        // Those that it joined in between. Whoever joins one from now on finds that it is gone.
        rooms.extend(self.active_rooms_of(id).await?);
        self.leave_all_rooms(id).await?;
        Ok(Some(rooms))
    }

    async fn insert_room(&self, room: &Room) -> Result<bool> {
        self.create_room(room).await
    }

    async fn join_room(&self, room: RoomId, user: UserId) -> Result<Join> {
        self.join(room, user).await
    }

    async fn change_room(&self, room: RoomId, host: UserId, change: &RoomChange) -> Result<RoomChanged> {
        self.change(room, host, change).await
    }

    async fn room(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        self.room_with_people(id).await
    }

    async fn rooms_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>> {
        self.page_of_rooms(user, limit, after).await
    }

    async fn active_rooms_of(&self, user: UserId) -> Result<Vec<RoomId>> {
        let rooms = self.api.aggregate(ROOMS, rooms::active_rooms(user)).await?;
        rooms.iter().map(|room| room.parsed("roomId")).collect()
    }

    async fn admission(&self, room: RoomId, user: UserId) -> Result<Admission> {
        self.admission_to(room, user).await
    }

    async fn record_call(&self, id: CallLogId, call: &Call, now: Timestamp) -> Result<Recorded> {
        crate::calls::record(self, id, call, now).await
    }

    async fn record_room_call(
        &self,
        write: CallLogId,
        log: &CallLog,
        now: Timestamp,
    ) -> Result<Option<RoomCall>> {
        crate::calls::record_of_room(self, write, log, now).await
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

//! The store in memory: for tests of everything above it, and the plainest statement of what the port means.
//! Nothing survives the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, HonouredTokens, Listed, Page, PageLimit, Participant,
    PasswordHash, Person, Room, RoomChange, RoomId, RoomWithPeople, Timestamp, TokenFingerprint, UserId,
    Username, limits,
};

use crate::{
    Account, Admission, Ended, Join, Membership, NewUser, PasswordChange, ProfileUpdate, Recorded, RoomCall,
    RoomChanged, Store, StoreError, Taken,
    calls::{self, Change},
};

type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    users: BTreeMap<UserId, Account>,
    rooms: BTreeMap<RoomId, Room>,
    removed: BTreeSet<(RoomId, UserId)>,
    calls: BTreeMap<CallLogId, CallLog>,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn email_taken(&self, email: &Email, by_other_than: UserId) -> bool {
        self.users.values().any(|account| account.user.email == *email && account.user.id != by_other_than)
    }

    fn username_taken(&self, username: &Username, by_other_than: UserId) -> bool {
        let mut users = self.users.values().map(|account| &account.user);
        users.any(|user| user.username == *username && user.id != by_other_than)
    }

    fn person(&self, id: UserId) -> Option<Person> {
        let user = &self.users.get(&id)?.user;
        Some(Person { id, username: user.username.clone(), email: user.email.clone() })
    }

    fn calls_in(&self, room: RoomId) -> Vec<CallLog> {
        self.calls.values().filter(|log| log.room == room).cloned().collect()
    }

    fn join_call(&mut self, report: CallLog, now: Timestamp) -> Change {
        let change = calls::join(report.clone(), self.calls_in(report.room), now);
        self.calls.retain(|id, _| !change.removed.contains(id));
        self.calls.insert(change.log.id, change.log.clone());
        change
    }

    fn calls_with(&self, user: UserId, now: Timestamp) -> impl Iterator<Item = CallLog> {
        let took_part = move |log: &&CallLog| log.participants.contains(&user);
        self.calls.values().filter(took_part).map(move |log| log.clone().as_of(now))
    }
}

/// One page of rows that are given in any order.
fn page<T: Listed<Id: Ord>>(mut rows: Vec<T>, limit: PageLimit, after: Option<&Cursor<T::Id>>) -> Page<T> {
    rows.retain(|row| after.is_none_or(|after| row.cursor() < *after));
    rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
    Page::cut(rows, limit)
}

#[async_trait]
impl Store for MemoryStore {
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn insert_user(&self, new: &NewUser) -> Result<std::result::Result<(), Taken>> {
        let mut tables = self.tables();
        let NewUser { user, password_hash } = new.clone();
        if tables.email_taken(&user.email, user.id) {
            return Ok(Err(Taken::Email));
        }
        if tables.username_taken(&user.username, user.id) {
            return Ok(Err(Taken::Username));
        }
        let id = user.id;
        tables
            .users
            .insert(id, Account { user, password_hash, tokens: HonouredTokens { version: 0, kept: None } });
        Ok(Ok(()))
    }

    async fn account(&self, id: UserId) -> Result<Option<Account>> {
        Ok(self.tables().users.get(&id).cloned())
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>> {
        Ok(self.tables().users.values().find(|account| account.user.email == *email).cloned())
    }

    async fn update_profile(
        &self,
        id: UserId,
        username: Option<&Username>,
        email: Option<&Email>,
    ) -> Result<ProfileUpdate> {
        let mut tables = self.tables();
        if username.is_some_and(|username| tables.username_taken(username, id)) {
            return Ok(ProfileUpdate::Taken(Taken::Username));
        }
        if email.is_some_and(|email| tables.email_taken(email, id)) {
            return Ok(ProfileUpdate::Taken(Taken::Email));
        }
        let Some(account) = tables.users.get_mut(&id) else { return Ok(ProfileUpdate::Gone) };
        account.user.username = username.unwrap_or(&account.user.username).clone();
        account.user.email = email.unwrap_or(&account.user.email).clone();
        Ok(ProfileUpdate::Updated(account.user.clone()))
    }

    async fn change_password(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
        kept: &TokenFingerprint,
    ) -> Result<Option<PasswordChange>> {
        let rooms = self.active_rooms_of(id).await?;
        let mut tables = self.tables();
        let account = tables.users.get_mut(&id).filter(|account| account.password_hash == *from);
        Ok(account.map(|account| {
            account.password_hash = to.clone();
            account.tokens = HonouredTokens { version: account.tokens.version + 1, kept: Some(kept.clone()) };
            PasswordChange { version: account.tokens.version, rooms }
        }))
    }

    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()> {
        let mut tables = self.tables();
        if let Some(account) = tables.users.get_mut(&id).filter(|account| account.password_hash == *from) {
            account.password_hash = to.clone();
        }
        Ok(())
    }

    async fn delete_user(&self, id: UserId, from: &PasswordHash) -> Result<Option<Vec<RoomId>>> {
        let left = self.active_rooms_of(id).await?;
        let mut tables = self.tables();
        if tables.users.get(&id).is_none_or(|account| account.password_hash != *from) {
            return Ok(None);
        }
        for room in tables.rooms.values_mut().filter(|room| room.admits(id)) {
            room.participants.retain(|user| *user != id);
            if room.host == id {
                match room.participants.first() {
                    Some(oldest) => room.host = *oldest,
                    None => room.active = false,
                }
            }
        }
        tables.users.remove(&id);
        Ok(Some(left))
    }

    async fn insert_room(&self, room: &Room) -> Result<bool> {
        let mut tables = self.tables();
        let has_host = tables.users.contains_key(&room.host);
        if has_host {
            tables.rooms.insert(room.id, room.clone());
        }
        Ok(has_host)
    }

    async fn join_room(&self, room: RoomId, user: UserId) -> Result<Join> {
        let mut tables = self.tables();
        let is_removed = tables.removed.contains(&(room, user));
        let has_account = tables.users.contains_key(&user);
        let Some(room) = tables.rooms.get_mut(&room).filter(|room| room.active && has_account) else {
            return Ok(Join::NotFound);
        };
        if !room.admits(user) {
            if is_removed {
                return Ok(Join::Removed);
            }
            if room.locked {
                return Ok(Join::Locked);
            }
            if room.participants.len() >= limits::ROOM_PARTICIPANTS {
                return Ok(Join::Full);
            }
            room.participants.push(user);
        }
        Ok(Join::Joined(room.clone()))
    }

    async fn change_room(&self, id: RoomId, host: UserId, change: &RoomChange) -> Result<RoomChanged> {
        let mut tables = self.tables();
        let Tables { rooms, removed, .. } = &mut *tables;
        let Some(room) = rooms.get_mut(&id).filter(|room| room.active && room.host == host) else {
            return Ok(RoomChanged::new(rooms.get(&id).cloned(), host, false));
        };
        let mut changed = true;
        match change {
            RoomChange::End => room.active = false,
            RoomChange::Rename(name) => room.name = name.clone(),
            RoomChange::Lock => room.locked = true,
            RoomChange::Unlock => room.locked = false,
            RoomChange::Remove(user) => {
                changed = room.admits(*user) && removed.insert((id, *user));
                room.participants.retain(|participant| participant != user);
            }
            RoomChange::Readmit(user) => changed = removed.remove(&(id, *user)),
        }
        Ok(RoomChanged::new(Some(room.clone()), host, changed))
    }

    async fn room(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        let tables = self.tables();
        let Some(room) = tables.rooms.get(&id).cloned() else { return Ok(None) };
        let users = room.participants.iter().filter_map(|id| tables.users.get(id));
        let people =
            users.map(|Account { user, .. }| Participant { id: user.id, username: user.username.clone() });
        Ok(Some(RoomWithPeople { people: people.collect(), room }))
    }

    async fn rooms_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>> {
        let rooms = self.tables().rooms.values().filter(|room| room.admits(user)).cloned().collect();
        Ok(page(rooms, limit, after))
    }

    async fn active_rooms_of(&self, user: UserId) -> Result<Vec<RoomId>> {
        let tables = self.tables();
        let mut rooms: Vec<_> =
            tables.rooms.values().filter(|room| room.active && room.admits(user)).collect();
        rooms.sort_by_key(|room| std::cmp::Reverse(room.created_at));
        Ok(rooms.into_iter().take(limits::ACTIVE_ROOMS as usize).map(|room| room.id).collect())
    }

    async fn admission(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let tables = self.tables();
        let membership = match tables.rooms.get(&room) {
            Some(room) if room.active && room.admits(user) => Membership::Participant,
            Some(room) if room.active && tables.removed.contains(&(room.id, user)) => Membership::Removed,
            Some(room) if room.active && room.locked => Membership::LockedOut,
            Some(room) if room.active => Membership::NotParticipant,
            Some(_) | None => Membership::RoomNotFound,
        };
        let tokens = tables.users.get(&user).map(|account| account.tokens.clone());
        Ok(Admission { membership, tokens })
    }

    async fn record_call(&self, id: CallLogId, call: &Call, now: Timestamp) -> Result<Recorded> {
        let mut tables = self.tables();
        let known: Vec<UserId> = tables.users.keys().copied().collect();
        let report = match calls::report(id, call, now, tables.rooms.get(&call.room), &known) {
            Ok(report) => report,
            Err(refusal) => return Ok(refusal),
        };
        Ok(tables.join_call(report, now).into())
    }

    async fn record_room_call(
        &self,
        _write: CallLogId,
        log: &CallLog,
        now: Timestamp,
    ) -> Result<Option<RoomCall>> {
        let mut tables = self.tables();
        let is_there = tables.rooms.contains_key(&log.room);
        Ok(is_there.then(|| tables.join_call(log.clone(), now).into()))
    }

    async fn end_call(
        &self,
        _write: CallLogId,
        room: RoomId,
        user: UserId,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<Ended> {
        let mut tables = self.tables();
        let Some(created_at) = tables.rooms.get(&room).map(|room| room.created_at) else {
            return Ok(Ended::NotActive);
        };
        Ok(match calls::end(user, end, now, created_at, tables.calls_in(room)) {
            Ok(log) => {
                tables.calls.insert(log.id, log.clone());
                Ended::Ended(log)
            }
            Err(refusal) => refusal,
        })
    }

    async fn calls_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<CallLogId>>,
        now: Timestamp,
    ) -> Result<Page<CallLog<Option<Person>>>> {
        let tables = self.tables();
        let told = |log: CallLog| {
            let (caller, receiver) = (tables.person(log.caller), tables.person(log.receiver));
            log.with_people(caller, receiver)
        };
        let logs = tables.calls_with(user, now).map(told).collect();
        Ok(page(logs, limit, after))
    }

    async fn call_stats(&self, user: UserId, now: Timestamp) -> Result<CallStats> {
        let tables = self.tables();
        let logs: Vec<_> = tables.calls_with(user, now).collect();
        let count = |logs: usize| i64::try_from(logs).unwrap_or(i64::MAX);
        let completed = logs.iter().filter(|log| log.end().is_some()).count();
        let duration = logs.iter().map(CallLog::duration).sum();
        Ok(CallStats::new(count(logs.len()), count(completed), duration))
    }
}

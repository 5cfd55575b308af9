//! The store over SQLite: D1 in the Worker, rusqlite in tests.
//!
//! An adapter of [`Sql`] runs a list of statements in one transaction and one round trip. Each operation is one
//! such batch, except writes to call logs ([`calls`]).

mod calls;
mod rooms;
mod row;
mod schema;
mod sql;
mod transient;

use async_trait::async_trait;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, Page, PageLimit, PasswordHash, Person, Room,
    RoomChange, RoomId, RoomWithPeople, Timestamp, TokenFingerprint, UserId, Username,
};

pub use row::Row;
pub use sql::{Sql, SqlError, SqlValue, Statement};

use rooms::{active_rooms, leave_rooms};
use sql::values;
use transient::Reply;

use crate::{
    Account, Admission, Ended, Join, NewUser, PasswordChange, ProfileUpdate, Recorded, RoomCall, RoomChanged,
    Store, StoreError, Taken,
    record::{self, Record, account},
};

type Result<T> = std::result::Result<T, StoreError>;

/// Sorts after every possible time and id: where the first page begins.
const LAST_TIME: i64 = (1 << 53) - 1;
const LAST_ID: &str = "~";

#[derive(Debug)]
pub struct SqliteStore<S>(S);

impl<S: Sql> SqliteStore<S> {
    pub fn new(sql: S) -> Self {
        Self(sql)
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<Reply> {
        let reply = transient::batch(&self.0, &statements).await;
        let reply = reply.map_err(|error| StoreError::Unavailable(error.0))?;
        if reply.results.len() == statements.len() { Ok(reply) } else { Err(missing_result()) }
    }

    async fn batch<const N: usize>(&self, statements: [Statement; N]) -> Result<[Vec<Row>; N]> {
        self.run(statements.into()).await?.results.try_into().map_err(|_| missing_result())
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>> {
        let [rows] = self.batch([statement]).await?;
        Ok(rows)
    }
}

/// The columns that [`record::account`] reads.
macro_rules! select_accounts {
    ($where:literal) => {
        concat!(
            "SELECT id, username, email, password_hash, token_version, kept_token, created_at FROM users ",
            $where
        )
    };
}

#[async_trait]
impl<S: Sql> Store for SqliteStore<S> {
    async fn ping(&self) -> Result<()> {
        self.rows(statement("SELECT 1 AS one FROM users WHERE id = ''", [])).await.map(|_| ())
    }

    async fn insert_user(&self, new: &NewUser) -> Result<std::result::Result<(), Taken>> {
        let NewUser { user, .. } = new;
        let [_, by_email, by_username] = self
            .batch([
                statement(
                    "INSERT INTO users (id, username, email, password_hash, token_version, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                    values(record::user_fields(new)),
                ),
                statement("SELECT id FROM users WHERE email = ?1", [user.email.as_str().into()]),
                statement("SELECT id FROM users WHERE username = ?1", [user.username.as_str().into()]),
            ])
            .await?;
        if is_of_other(&by_email, user.id)? {
            return Ok(Err(Taken::Email));
        }
        if is_of_other(&by_username, user.id)? {
            return Ok(Err(Taken::Username));
        }
        Ok(Ok(()))
    }

    async fn account(&self, id: UserId) -> Result<Option<Account>> {
        let rows = self.rows(account_statement(id)).await?;
        rows.first().map(account).transpose()
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>> {
        let rows =
            self.rows(statement(select_accounts!("WHERE email = ?1"), [email.as_str().into()])).await?;
        rows.first().map(account).transpose()
    }

    async fn update_profile(
        &self,
        id: UserId,
        username: Option<&Username>,
        email: Option<&Email>,
    ) -> Result<ProfileUpdate> {
        let username: SqlValue = username.map(Username::as_str).into();
        let email: SqlValue = email.map(Email::as_str).into();
        let [_, user, by_username, by_email] = self
            .batch([
                statement(
                    "UPDATE OR IGNORE users
                     SET username = coalesce(?2, username), email = coalesce(?3, email) WHERE id = ?1",
                    [id.into(), username.clone(), email.clone()],
                ),
                account_statement(id),
                statement("SELECT id FROM users WHERE username = ?1", [username]),
                statement("SELECT id FROM users WHERE email = ?1", [email]),
            ])
            .await?;
        let Some(user) = user.first() else { return Ok(ProfileUpdate::Gone) };
        if is_of_other(&by_username, id)? {
            return Ok(ProfileUpdate::Taken(Taken::Username));
        }
        if is_of_other(&by_email, id)? {
            return Ok(ProfileUpdate::Taken(Taken::Email));
        }
        Ok(ProfileUpdate::Updated(account(user)?.user))
    }

    async fn change_password(
        &self,
        id: UserId,
        from: &PasswordHash,
        to: &PasswordHash,
        kept: &TokenFingerprint,
    ) -> Result<Option<PasswordChange>> {
        let [_, versions, rooms] = self
            .batch([
                statement(
                    "UPDATE users SET password_hash = ?3, kept_token = ?4, token_version = token_version + 1
                     WHERE id = ?1 AND password_hash = ?2",
                    [id.into(), from.expose().into(), to.expose().into(), kept.as_str().into()],
                ),
                statement(
                    "SELECT token_version FROM users WHERE id = ?1 AND password_hash = ?2",
                    [id.into(), to.expose().into()],
                ),
                active_rooms(id),
            ])
            .await?;
        let Some(changed) = versions.first() else { return Ok(None) };
        let rooms = rooms.iter().map(|row| row.parsed("roomId")).collect::<Result<_>>()?;
        Ok(Some(PasswordChange { version: changed.integer("tokenVersion")?, rooms }))
    }

    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()> {
        let update = statement(
            "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
            [id.into(), from.expose().into(), to.expose().into()],
        );
        self.rows(update).await.map(|_| ())
    }

    async fn delete_user(&self, id: UserId, from: &PasswordHash) -> Result<Option<Vec<RoomId>>> {
        let [passes_on, ends, leaves] = leave_rooms(id, from);
        let goes = statement(
            "DELETE FROM users WHERE id = ?1 AND password_hash = ?2 RETURNING id",
            [id.into(), from.expose().into()],
        );
        let Reply { results, retried } =
            self.run(vec![active_rooms(id), passes_on, ends, leaves, goes]).await?;
        let [rooms, _, _, _, gone] = results.try_into().map_err(|_| missing_result())?;
        // An earlier attempt may have done it, though its reply was lost.
        if gone.is_empty() && !(retried && self.account(id).await?.is_none()) {
            return Ok(None);
        }
        rooms.iter().map(|row| row.parsed("roomId")).collect::<Result<_>>().map(Some)
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
        self.rows(active_rooms(user)).await?.iter().map(|row| row.parsed("roomId")).collect()
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

fn missing_result() -> StoreError {
    StoreError::Corrupt("a statement without a result".to_owned())
}

fn account_statement(id: UserId) -> Statement {
    statement(select_accounts!("WHERE id = ?1"), [id.into()])
}

fn statement(sql: &'static str, values: impl Into<Vec<SqlValue>>) -> Statement {
    Statement { sql, values: values.into() }
}

fn keys_after<K: Copy + Into<SqlValue>>(cursor: Option<&Cursor<K>>) -> [SqlValue; 2] {
    match cursor {
        Some(cursor) => [cursor.time.into(), cursor.id.into()],
        None => [LAST_TIME.into(), LAST_ID.into()],
    }
}

fn is_of_other(rows: &[Row], id: UserId) -> Result<bool> {
    let holder: Option<UserId> = rows.first().map(|row| row.id("_id")).transpose()?;
    Ok(holder.is_some_and(|holder| holder != id))
}

fn id_list(users: &[UserId]) -> String {
    serde_json::Value::from(users.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

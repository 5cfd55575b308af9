//! The store over SQLite: D1 in the Worker, rusqlite in tests.
//!
//! An adapter of [`Sql`] runs a list of statements in one transaction and one round trip. Each
//! operation is one such batch, but for writes to call logs ([`calls`]).

mod calls;
mod row;
mod schema;
mod sql;

use async_trait::async_trait;
use zetra_domain::{
    Call, CallLog, CallLogId, CallStats, Cursor, Email, Page, PageLimit, PasswordHash, Person, Room, RoomId,
    RoomWithPeople, Timestamp, TokenFingerprint, UserId, Username, limits,
};

pub use row::Row;
pub use sql::{Sql, SqlError, SqlValue, Statement};

use sql::values;

use crate::{
    Account, Admission, Ended, Join, Membership, NewUser, ProfileUpdate, Recorded, Store, StoreError, Taken,
    record::{self, Record, account, honoured_tokens, participant},
};

type Result<T> = std::result::Result<T, StoreError>;

/// Sorts after every time and id there is: where the first page begins.
const LAST_TIME: i64 = (1 << 53) - 1;
const LAST_ID: &str = "~";

#[derive(Debug)]
pub struct SqliteStore<S>(S);

impl<S: Sql> SqliteStore<S> {
    pub fn new(sql: S) -> Self {
        Self(sql)
    }

    async fn batch<const N: usize>(&self, statements: [Statement; N]) -> Result<[Vec<Row>; N]> {
        let rows = schema::batch(&self.0, statements.into())
            .await
            .map_err(|error| StoreError::Unavailable(error.0))?;
        rows.try_into().map_err(|_| StoreError::Corrupt("a statement without a result".to_owned()))
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>> {
        let [rows] = self.batch([statement]).await?;
        Ok(rows)
    }
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
        let rows = self.rows(statement("SELECT * FROM users WHERE id = ?1", [id.into()])).await?;
        rows.first().map(account).transpose()
    }

    async fn account_by_email(&self, email: &Email) -> Result<Option<Account>> {
        let rows =
            self.rows(statement("SELECT * FROM users WHERE email = ?1", [email.as_str().into()])).await?;
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
                statement("SELECT * FROM users WHERE id = ?1", [id.into()]),
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
    ) -> Result<Option<i64>> {
        let [_, rows] = self
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
            ])
            .await?;
        rows.first().map(|row| row.integer("tokenVersion")).transpose()
    }

    async fn renew_hash(&self, id: UserId, from: &PasswordHash, to: &PasswordHash) -> Result<()> {
        let update = statement(
            "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
            [id.into(), from.expose().into(), to.expose().into()],
        );
        self.rows(update).await.map(|_| ())
    }

    async fn delete_user(&self, id: UserId) -> Result<()> {
        self.batch([
            statement(
                "UPDATE rooms SET host = coalesce(
                       (SELECT user_id FROM room_participants
                        WHERE room_id = rooms.room_id AND user_id <> ?1 ORDER BY position LIMIT 1), host)
                     WHERE host = ?1
                     AND room_id IN (SELECT room_id FROM room_participants WHERE user_id = ?1)",
                [id.into()],
            ),
            // Who is still host of a room it is about to leave was alone in it.
            statement(
                "UPDATE rooms SET active = 0 WHERE host = ?1
                     AND room_id IN (SELECT room_id FROM room_participants WHERE user_id = ?1)",
                [id.into()],
            ),
            statement("DELETE FROM room_participants WHERE user_id = ?1", [id.into()]),
            statement("DELETE FROM users WHERE id = ?1", [id.into()]),
        ])
        .await
        .map(|_| ())
    }

    async fn insert_room(&self, room: &Room) -> Result<()> {
        self.batch([
            statement(
                "INSERT INTO rooms (room_id, host, active, locked, created_at)
                 VALUES (?1, ?2, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                values(record::room_fields(room)),
            ),
            statement(
                "INSERT INTO room_participants (room_id, user_id, position, room_created_at)
                 SELECT ?1, value, key, ?6 FROM json_each(?3) WHERE true ON CONFLICT DO NOTHING",
                values(record::room_fields(room)),
            ),
        ])
        .await
        .map(|_| ())
    }

    async fn join_room(&self, room: RoomId, user: UserId) -> Result<Join> {
        let most = i64::try_from(limits::ROOM_PARTICIPANTS).unwrap_or(i64::MAX);
        let [_, rows] = self
            .batch([
                statement(
                    "INSERT INTO room_participants (room_id, user_id, position, room_created_at)
                     SELECT room_id, ?2,
                       (SELECT coalesce(max(position), -1) + 1 FROM room_participants WHERE room_id = ?1),
                       created_at
                     FROM rooms WHERE room_id = ?1 AND active = 1
                     AND (SELECT count(*) FROM room_participants WHERE room_id = ?1) < ?3
                     AND EXISTS (SELECT 1 FROM users WHERE id = ?2)
                     ON CONFLICT DO NOTHING",
                    [room.into(), user.into(), most.into()],
                ),
                room_statement(room),
            ])
            .await?;
        Ok(match rows.first().map(record::room).transpose()? {
            Some(room) if !room.active => Join::NotFound,
            Some(room) if room.admits(user) => Join::Joined(room),
            Some(_) => Join::Full,
            None => Join::NotFound,
        })
    }

    async fn room(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
        let [room, people] = self
            .batch([
                room_statement(id),
                statement(
                    "SELECT u.id, u.username FROM room_participants p JOIN users u ON u.id = p.user_id
                     WHERE p.room_id = ?1 ORDER BY p.position",
                    [id.into()],
                ),
            ])
            .await?;
        let Some(room) = room.first().map(record::room).transpose()? else { return Ok(None) };
        let people = people.iter().map(participant).collect::<Result<_>>()?;
        Ok(Some(RoomWithPeople { room, people }))
    }

    async fn rooms_of(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>> {
        let [time, id] = keys_after(after);
        let rows = self
            .rows(statement(
                "SELECT r.*, (SELECT json_group_array(user_id) FROM
                   (SELECT user_id FROM room_participants WHERE room_id = r.room_id ORDER BY position)
                 ) AS participants
                 FROM room_participants p JOIN rooms r ON r.room_id = p.room_id
                 WHERE p.user_id = ?1 AND (p.room_created_at, p.room_id) < (?2, ?3)
                 ORDER BY p.room_created_at DESC, p.room_id DESC LIMIT ?4",
                [user.into(), time, id, (i64::from(limit.get()) + 1).into()],
            ))
            .await?;
        Ok(Page::cut(rows.iter().map(record::room).collect::<Result<_>>()?, limit))
    }

    async fn active_rooms_of(&self, user: UserId) -> Result<Vec<RoomId>> {
        let rooms = statement(
            "SELECT p.room_id FROM room_participants p JOIN rooms r ON r.room_id = p.room_id
             WHERE p.user_id = ?1 AND r.active = 1 ORDER BY p.room_created_at DESC LIMIT ?2",
            [user.into(), i64::from(limits::ACTIVE_ROOMS).into()],
        );
        self.rows(rooms).await?.iter().map(|row| row.parsed("roomId")).collect()
    }

    async fn admission(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let rows = self
            .rows(statement(
                "SELECT r.room_id, u.id, u.token_version, u.kept_token,
                   EXISTS (SELECT 1 FROM room_participants WHERE room_id = ?1 AND user_id = ?2)
                     AS participant
                 FROM (SELECT 1) LEFT JOIN rooms r ON r.room_id = ?1 AND r.active = 1
                 LEFT JOIN users u ON u.id = ?2",
                [room.into(), user.into()],
            ))
            .await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("no admission".to_owned()))?;
        let membership = match (row.optional_text("roomId")?, row.integer("participant")?) {
            (None, _) => Membership::RoomNotFound,
            (Some(_), 0) => Membership::NotParticipant,
            (Some(_), _) => Membership::Participant,
        };
        let known = row.optional_text("_id")?.is_some();
        Ok(Admission { membership, tokens: known.then(|| honoured_tokens(row)).transpose()? })
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

fn statement(sql: &'static str, values: impl Into<Vec<SqlValue>>) -> Statement {
    Statement { sql, values: values.into() }
}

fn room_statement(id: RoomId) -> Statement {
    statement(
        "SELECT r.*, (SELECT json_group_array(user_id) FROM
           (SELECT user_id FROM room_participants WHERE room_id = r.room_id ORDER BY position)
         ) AS participants FROM rooms r WHERE r.room_id = ?1",
        [id.into()],
    )
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

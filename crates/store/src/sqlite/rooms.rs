//! Rooms in SQLite, and who may enter them.

use zetra_domain::{
    Cursor, Page, PageLimit, PasswordHash, Room, RoomChange, RoomId, RoomName, RoomWithPeople, UserId, limits,
};

use super::{Reply, Result, Sql, SqlValue, SqliteStore, Statement, keys_after, statement, values};
use crate::{
    Admission, Join, Membership, RoomChanged, StoreError,
    record::{self, Record, honoured_tokens, participant},
};

/// The columns that [`record::room`] reads, and the revision of the room's calls.
macro_rules! select_rooms {
    ($from:literal) => {
        concat!(
            "SELECT r.room_id, r.name, r.host, r.active, r.locked, r.created_at, r.calls_revision,
               (SELECT json_group_array(user_id) FROM
               (SELECT user_id FROM room_participants WHERE room_id = r.room_id ORDER BY position)
             ) AS participants ",
            $from
        )
    };
}

impl<S: Sql> SqliteStore<S> {
    pub(super) async fn create_room(&self, room: &Room) -> Result<bool> {
        let [_, _, created] = self
            .batch([
                statement(
                    "INSERT INTO rooms (room_id, name, host, active, locked, created_at)
                     SELECT ?1, ?2, ?3, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM users WHERE id = ?3)
                     ON CONFLICT DO NOTHING",
                    values(record::room_fields(room)),
                ),
                statement(
                    "INSERT INTO room_participants (room_id, user_id, position, room_created_at)
                     SELECT ?1, value, key, ?7 FROM json_each(?4)
                     WHERE EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1)
                     ON CONFLICT DO NOTHING",
                    values(record::room_fields(room)),
                ),
                statement("SELECT room_id FROM rooms WHERE room_id = ?1", [room.id.into()]),
            ])
            .await?;
        Ok(!created.is_empty())
    }

    pub(super) async fn join(&self, room: RoomId, user: UserId) -> Result<Join> {
        let most = i64::try_from(limits::ROOM_PARTICIPANTS).unwrap_or(i64::MAX);
        let [_, rows, removed] = self
            .batch([
                statement(
                    "INSERT INTO room_participants (room_id, user_id, position, room_created_at)
                     SELECT room_id, ?2,
                       (SELECT coalesce(max(position), -1) + 1 FROM room_participants WHERE room_id = ?1),
                       created_at
                     FROM rooms WHERE room_id = ?1 AND active = 1 AND locked = 0
                     AND NOT EXISTS (SELECT 1 FROM room_removals WHERE room_id = ?1 AND user_id = ?2)
                     AND (SELECT count(*) FROM room_participants WHERE room_id = ?1) < ?3
                     AND EXISTS (SELECT 1 FROM users WHERE id = ?2)
                     ON CONFLICT DO NOTHING",
                    [room.into(), user.into(), most.into()],
                ),
                room_statement(room),
                statement(
                    "SELECT user_id FROM room_removals WHERE room_id = ?1 AND user_id = ?2",
                    [room.into(), user.into()],
                ),
            ])
            .await?;
        Ok(match rows.first().map(record::room).transpose()? {
            Some(room) if !room.active => Join::NotFound,
            Some(room) if room.admits(user) => Join::Joined(room),
            Some(_) if !removed.is_empty() => Join::Removed,
            Some(room) if room.locked => Join::Locked,
            Some(room) if room.participants.len() >= limits::ROOM_PARTICIPANTS => Join::Full,
            // The account was deleted in the meantime.
            Some(_) | None => Join::NotFound,
        })
    }

    pub(super) async fn change(&self, id: RoomId, host: UserId, change: &RoomChange) -> Result<RoomChanged> {
        let update = |sql, value: SqlValue| statement(sql, [id.into(), host.into(), value]);
        let changes = match change {
            RoomChange::End => vec![update(
                "UPDATE rooms SET active = ?3 WHERE room_id = ?1 AND host = ?2 AND active = 1 RETURNING room_id",
                0.into(),
            )],
            RoomChange::Rename(name) => vec![update(
                "UPDATE rooms SET name = ?3 WHERE room_id = ?1 AND host = ?2 AND active = 1 RETURNING room_id",
                name.as_ref().map(RoomName::as_str).into(),
            )],
            RoomChange::Lock | RoomChange::Unlock => vec![update(
                "UPDATE rooms SET locked = ?3 WHERE room_id = ?1 AND host = ?2 AND active = 1 RETURNING room_id",
                i64::from(*change == RoomChange::Lock).into(),
            )],
            RoomChange::Remove(user) => vec![
                update(
                    "INSERT INTO room_removals (room_id, user_id)
                     SELECT p.room_id, p.user_id FROM room_participants p JOIN rooms r ON r.room_id = p.room_id
                     WHERE p.room_id = ?1 AND p.user_id = ?3 AND r.host = ?2 AND r.active = 1
                     ON CONFLICT DO NOTHING",
                    (*user).into(),
                ),
                update(
                    "DELETE FROM room_participants WHERE room_id = ?1 AND user_id = ?3
                     AND EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1 AND host = ?2 AND active = 1)
                     RETURNING user_id",
                    (*user).into(),
                ),
            ],
            RoomChange::Readmit(user) => vec![update(
                "DELETE FROM room_removals WHERE room_id = ?1 AND user_id = ?3
                 AND EXISTS (SELECT 1 FROM rooms WHERE room_id = ?1 AND host = ?2 AND active = 1)
                 RETURNING user_id",
                (*user).into(),
            )],
        };
        let statements = changes.into_iter().chain([room_statement(id)]).collect();
        let Reply { mut results, retried } = self.run(statements).await?;
        let room = results.pop().and_then(|rows| rows.first().map(record::room)).transpose()?;
        let mut changed = results.pop().is_some_and(|rows| !rows.is_empty());
        if let (false, true, Some(room)) = (changed, retried, &room) {
            changed = room.host == host && self.is_so(room, change).await?;
        }
        Ok(RoomChanged::new(room, host, changed))
    }

    /// Whether the room is as the change makes it. If an earlier attempt was executed, it has nothing to change now.
    async fn is_so(&self, room: &Room, change: &RoomChange) -> Result<bool> {
        let membership = |user| async move {
            let admission = self.admission_to(room.id, user).await;
            admission.map(|admission| admission.membership)
        };
        match change {
            RoomChange::End => Ok(!room.active),
            RoomChange::Remove(user) => Ok(membership(*user).await? == Membership::Removed),
            // Of an ended room it is neither.
            RoomChange::Readmit(user) => {
                Ok(!matches!(membership(*user).await?, Membership::Removed | Membership::RoomNotFound))
            }
            RoomChange::Rename(_) | RoomChange::Lock | RoomChange::Unlock => Ok(false),
        }
    }

    pub(super) async fn room_with_people(&self, id: RoomId) -> Result<Option<RoomWithPeople>> {
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

    pub(super) async fn page_of_rooms(
        &self,
        user: UserId,
        limit: PageLimit,
        after: Option<&Cursor<RoomId>>,
    ) -> Result<Page<Room>> {
        let [time, id] = keys_after(after);
        let rows = self
            .rows(statement(
                select_rooms!(
                    "FROM room_participants p JOIN rooms r ON r.room_id = p.room_id
                     WHERE p.user_id = ?1 AND (p.room_created_at, p.room_id) < (?2, ?3)
                     ORDER BY p.room_created_at DESC, p.room_id DESC LIMIT ?4"
                ),
                [user.into(), time, id, (i64::from(limit.get()) + 1).into()],
            ))
            .await?;
        Ok(Page::cut(rows.iter().map(record::room).collect::<Result<_>>()?, limit))
    }

    pub(super) async fn admission_to(&self, room: RoomId, user: UserId) -> Result<Admission> {
        let rows = self
            .rows(statement(
                "SELECT r.room_id, r.locked, u.id, u.token_version, u.kept_token,
                   EXISTS (SELECT 1 FROM room_removals WHERE room_id = ?1 AND user_id = ?2) AS removed,
                   EXISTS (SELECT 1 FROM room_participants WHERE room_id = ?1 AND user_id = ?2)
                     AS participant
                 FROM (SELECT 1) LEFT JOIN rooms r ON r.room_id = ?1 AND r.active = 1
                 LEFT JOIN users u ON u.id = ?2",
                [room.into(), user.into()],
            ))
            .await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("no admission".to_owned()))?;
        let yes = |field| row.integer(field).map(|integer| integer != 0);
        let membership = match row.optional_text("roomId")? {
            None => Membership::RoomNotFound,
            Some(_) if yes("participant")? => Membership::Participant,
            Some(_) if yes("removed")? => Membership::Removed,
            Some(_) if yes("locked")? => Membership::LockedOut,
            Some(_) => Membership::NotParticipant,
        };
        let known = row.optional_text("_id")?.is_some();
        Ok(Admission { membership, tokens: known.then(|| honoured_tokens(row)).transpose()? })
    }
}

pub(super) fn room_statement(id: RoomId) -> Statement {
    statement(select_rooms!("FROM rooms r WHERE r.room_id = ?1"), [id.into()])
}

pub(super) fn active_rooms(user: UserId) -> Statement {
    statement(
        "SELECT p.room_id FROM room_participants p JOIN rooms r ON r.room_id = p.room_id
         WHERE p.user_id = ?1 AND r.active = 1 ORDER BY p.room_created_at DESC LIMIT ?2",
        [user.into(), i64::from(limits::ACTIVE_ROOMS).into()],
    )
}

/// A room that the user hosts passes to its oldest other participant, one without any ends. All of it only if the user's
/// hash is still `from`.
pub(super) fn leave_rooms(id: UserId, from: &PasswordHash) -> [Statement; 3] {
    let values = || [id.into(), from.expose().into()];
    [
        statement(
            "UPDATE rooms SET host = coalesce(
               (SELECT user_id FROM room_participants
                WHERE room_id = rooms.room_id AND user_id <> ?1 ORDER BY position LIMIT 1), host)
             WHERE host = ?1
             AND room_id IN (SELECT room_id FROM room_participants WHERE user_id = ?1)
             AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2)",
            values(),
        ),
        // A user who is still host of a room it is about to leave was alone in it.
        statement(
            "UPDATE rooms SET active = 0 WHERE host = ?1
             AND room_id IN (SELECT room_id FROM room_participants WHERE user_id = ?1)
             AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2)",
            values(),
        ),
        statement(
            "DELETE FROM room_participants WHERE user_id = ?1
             AND EXISTS (SELECT 1 FROM users WHERE id = ?1 AND password_hash = ?2)",
            values(),
        ),
    ]
}

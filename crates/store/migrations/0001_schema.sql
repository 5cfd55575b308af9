-- Users, rooms and call logs. Times are milliseconds since the Unix epoch; ids are text.
-- Every list query has its index; tests check with EXPLAIN QUERY PLAN that none scans a table.

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  username      TEXT NOT NULL,
  email         TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  -- Bumped by a password change: tokens of earlier versions die.
  token_version INTEGER NOT NULL DEFAULT 0,
  -- Fingerprint of the token that made the last change: it alone lives on.
  kept_token    TEXT,
  created_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_by_username ON users (username);
CREATE UNIQUE INDEX users_by_email ON users (email);

CREATE TABLE rooms (
  room_id        TEXT PRIMARY KEY,
  host           TEXT NOT NULL,
  active         INTEGER NOT NULL DEFAULT 1,
  locked         INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL,
  -- Names the last write to this room's call logs; writes are guarded by it.
  calls_revision TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE room_participants (
  room_id         TEXT NOT NULL,
  user_id         TEXT NOT NULL,
  -- Order of joining.
  position        INTEGER NOT NULL,
  -- The room's own, repeated here so that a user's rooms come sorted from one index.
  room_created_at INTEGER NOT NULL,
  PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_participants_by_user ON room_participants (user_id, room_created_at DESC, room_id DESC);

CREATE TABLE call_logs (
  id           TEXT PRIMARY KEY,
  room_id      TEXT NOT NULL,
  caller_id    TEXT NOT NULL,
  receiver_id  TEXT NOT NULL,
  -- JSON array of user ids.
  participants TEXT NOT NULL,
  start_time   INTEGER NOT NULL,
  end_time     INTEGER,
  duration     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX call_logs_by_room ON call_logs (room_id, start_time);

CREATE TABLE call_participants (
  user_id    TEXT NOT NULL,
  -- The log's own, repeated here so that a user's calls come sorted from one index.
  start_time INTEGER NOT NULL,
  call_id    TEXT NOT NULL,
  PRIMARY KEY (user_id, start_time, call_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_participants_by_call ON call_participants (call_id);

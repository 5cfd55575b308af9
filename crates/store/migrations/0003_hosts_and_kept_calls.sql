-- Rooms have names, hosts who remove people from them, and calls that they keep themselves.

ALTER TABLE rooms ADD COLUMN name TEXT;

-- Who may not join again until the host readmits them.
CREATE TABLE room_removals (
  room_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

-- The room itself saw the call: start and end are not a client's to tell.
ALTER TABLE call_logs ADD COLUMN kept_by_room INTEGER NOT NULL DEFAULT 0;

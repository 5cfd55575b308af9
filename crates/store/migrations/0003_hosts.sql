-- Rooms have names, and hosts who remove people from them.

ALTER TABLE rooms ADD COLUMN name TEXT;

-- Who may not join again until the host readmits them.
CREATE TABLE room_removals (
  room_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

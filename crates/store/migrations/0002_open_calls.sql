-- Call logs know since when they are open, and are found by room and person.

-- The start of the last report that says that the call goes on. NULL means start_time.
ALTER TABLE call_logs ADD COLUMN open_since INTEGER;
-- Those that nobody has ended, for the question whether one is active.
CREATE INDEX call_logs_open ON call_logs (room_id, coalesce(open_since, start_time)) WHERE end_time IS NULL;

-- The log's own, repeated here so that one person's calls in one room come sorted from one index.
ALTER TABLE call_participants ADD COLUMN room_id TEXT;
UPDATE call_participants SET room_id = (SELECT room_id FROM call_logs WHERE id = call_participants.call_id);
CREATE INDEX call_participants_by_room ON call_participants (room_id, user_id, start_time);

-- Replaced by the two above.
DROP INDEX call_logs_by_room;

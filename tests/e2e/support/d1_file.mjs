// The file in which workerd keeps the Worker's D1, opened beside it: what is done to it here, D1 meets.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The server must have asked its database once. */
export function openD1(server) {
  const folder = join(server.folder, "d1", "miniflare-D1DatabaseObject");
  const [file] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  return new DatabaseSync(join(folder, file), { timeout: 5_000 });
}

/** Ways in which D1 fails, each with its end. */
export const FAULTS = {
  "whose file is locked": { begin: (d1) => d1.exec("BEGIN EXCLUSIVE"), end: (d1) => d1.exec("ROLLBACK") },
  "whose tables are away": {
    begin: (d1) => d1.exec("ALTER TABLE users RENAME TO users_away; ALTER TABLE rooms RENAME TO rooms_away"),
    end: (d1) => d1.exec("ALTER TABLE users_away RENAME TO users; ALTER TABLE rooms_away RENAME TO rooms"),
  },
};

const TABLES = ["users", "rooms", "room_participants", "room_removals", "call_logs", "call_participants"];
const triggers = TABLES.flatMap((table) => ["INSERT", "UPDATE", "DELETE"].map((write) => ({ table, write, name: `fault_${table}_${write}` })));

/** It still reads, and its errors quote what they should not. */
export const READ_ONLY = {
  begin: (d1) => triggers.forEach(({ table, write, name }) => d1.exec(
    `CREATE TRIGGER ${name} BEFORE ${write} ON ${table} BEGIN SELECT RAISE(ABORT, 'secret@example.com cannot be written'); END`,
  )),
  end: (d1) => triggers.forEach(({ name }) => d1.exec(`DROP TRIGGER ${name}`)),
};

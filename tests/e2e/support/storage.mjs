// What the objects have stored, read from the runtime's own files.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * The runtime is at work: a journal lies there that only a writer may undo (SQLITE_READONLY_ROLLBACK), or the file is being
 * deleted (SQLITE_IOERR_FSTAT, SQLITE_CANTOPEN).
 */
const TRANSIENT = [776, 1802, 14];

/** The number of rows that each object of that class has stored, by its file. */
export function storedRows(server, className) {
  const count = (database, name) => database.prepare(`SELECT count(*) AS rows FROM ${name}`).get().rows;
  const files = filesOf(server, className);
  return Object.fromEntries(files.map((file) => [file, read(file, count) ?? 0]));
}

/** What the objects of that class have stored, by key: the bytes in which the runtime keeps it, as text. */
export function storedValues(server, className) {
  const values = (database, name) => database.prepare(`SELECT key, value FROM ${name}`).all();
  const rows = filesOf(server, className).flatMap((file) => read(file, values) ?? []);
  return rows.map(({ key, value }) => [key, Buffer.from(value).toString("latin1")]);
}

function filesOf(server, className) {
  const folder = join(server.folder, "do");
  if (!existsSync(folder)) return [];
  const classes = readdirSync(folder).filter((name) => name.endsWith(`-${className}`));
  const files = classes.flatMap((name) => readdirSync(join(folder, name)).map((file) => join(folder, name, file)));
  return files.filter((file) => /\/[0-9a-f]{64}\.sqlite$/.test(file));
}

/** What `query` gives of the table of values, if there is one. */
function read(file, query) {
  for (let attempt = 1; existsSync(file); attempt += 1) {
    let database;
    try {
      database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
      const [table] = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '_cf_KV'").all();
      return table && query(database, table.name);
    } catch (error) {
      if (!TRANSIENT.includes(error.errcode) || attempt === 500) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    } finally {
      database?.close();
    }
  }
}

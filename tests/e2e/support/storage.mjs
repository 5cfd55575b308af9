// What the objects have stored, read from the runtime's own files.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The number of rows that each object of that class has stored, by its file. */
export function storedRows(server, className) {
  const folder = join(server.folder, "do");
  if (!existsSync(folder)) return {};
  const classes = readdirSync(folder).filter((name) => name.endsWith(`-${className}`));
  const files = classes.flatMap((name) => readdirSync(join(folder, name)).map((file) => join(folder, name, file)));
  const objects = files.filter((file) => /\/[0-9a-f]{64}\.sqlite$/.test(file));
  return Object.fromEntries(objects.map((file) => [file, rowsOf(file)]));
}

function rowsOf(file) {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '_cf_KV'").all();
    return tables.reduce((rows, { name }) => rows + database.prepare(`SELECT count(*) AS rows FROM ${name}`).get().rows, 0);
  } finally {
    database.close();
  }
}

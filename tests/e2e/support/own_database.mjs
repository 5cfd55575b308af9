// A MongoDB-compatible process that a test may kill, with its data on disk.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./server.mjs";

/** Why no test can start a database of its own, or false: somebody may have a MongoDB, and no Python for this one. */
export const isMissing = existsSync(process.env.ZETRA_TEST_DATABASE_PROGRAM ?? "") ? false : "no database to kill: it needs Python 3.10 to 3.13 with venv";

export class OwnDatabase {
  static async start() {
    const database = new OwnDatabase();
    database.program = process.env.ZETRA_TEST_DATABASE_PROGRAM;
    database.folder = mkdtempSync(join(tmpdir(), "zetra-mongodb-"));
    database.port = await freePort();
    database.uri = `mongodb://127.0.0.1:${database.port}/`;
    await database.restart();
    return database;
  }

  /** On the same port, with the same data. */
  async restart() {
    const address = ["--host", "127.0.0.1", "--port", String(this.port)];
    // What was acknowledged is on disk.
    const storage = ["--storage-path", join(this.folder, "data"), "--sync-on-commit", "--log-level", "ERROR"];
    this.process = spawn(this.program, [...address, ...storage], { stdio: ["ignore", "ignore", "inherit"] });
    const deadline = Date.now() + 60_000;
    while (!(await answers(this.port))) {
      if (this.process.exitCode !== null || Date.now() > deadline) throw new Error("the database did not start");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async end(signal) {
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    await ended;
  }

  async stop() {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose]() {
    return this.stop();
  }
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

// The Data API server, as an operator runs it, in front of a database of its own in TEST_MONGODB_URI.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MongoClient } from "mongodb";
import { Listener } from "./patience.mjs";

const PROGRAM = fileURLToPath(new URL("../../../target/debug/zetra-data-api", import.meta.url));

export class DataApi {
  /** Hears the lines that the server logs, parsed; they may come later than the answer that they are about. */
  log = new Listener();
  key = randomBytes(24).toString("hex");
  databaseName = `zetra_e2e_${randomBytes(8).toString("hex")}`;

  /** `mongodbUri`: another database than TEST_MONGODB_URI. */
  static async start({ mongodbUri = process.env.TEST_MONGODB_URI } = {}) {
    if (!mongodbUri) throw new Error("TEST_MONGODB_URI names no database; `cargo xtask test` starts one");
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there; build it: cargo build -p zetra-data-api`);
    const dataApi = new DataApi();
    dataApi.mongodbUri = mongodbUri;
    await dataApi.#launch();
    return dataApi;
  }

  async #launch() {
    const { PATH } = process.env;
    const env = {
      PATH,
      MONGODB_URI: this.mongodbUri,
      DATA_API_KEYS: `worker ${this.key}`,
      DATA_API_LISTEN: this.address ?? "127.0.0.1:0",
      DATA_API_ENSURE_INDEXES: this.databaseName,
    };
    this.process = spawn(PROGRAM, [], { env, stdio: ["ignore", "pipe", "inherit"] });
    const listening = new Promise((resolve, reject) => {
      this.process.once("exit", (code) => reject(new Error(`the Data API server ended with ${code}: ${JSON.stringify(this.logged)}`)));
      createInterface(this.process.stdout).on("line", (text) => {
        const line = JSON.parse(text);
        this.log.note(line);
        if (line.message === "listening") resolve(line.address);
      });
    });
    this.address = await listening;
  }

  get logged() {
    return this.log.heard;
  }

  /** What the Worker is told. */
  get variables() {
    return {
      MONGO_URI: `http://${this.address}/data/v1`,
      MONGO_API_KEY: this.key,
      MONGO_DATA_SOURCE: "Cluster0",
      MONGO_DATABASE: this.databaseName,
    };
  }

  /** Uses the database by its official driver. */
  async byDriver(use) {
    const client = await MongoClient.connect(this.mongodbUri);
    try {
      return await use(client.db(this.databaseName));
    } finally {
      await client.close();
    }
  }

  /** SIGTERM, as a service manager sends it. Gives the exit code. */
  async stop() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    const [code] = await ended;
    return code;
  }

  /** Ends it as a crash would. */
  async kill() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  /** At the same address. */
  restart() {
    return this.#launch();
  }

  async end() {
    if (this.process.exitCode === null) {
      const code = await this.stop();
      if (code !== 0) throw new Error(`the Data API server ended with ${code}`);
    }
    await this.byDriver((database) => database.dropDatabase());
  }
}

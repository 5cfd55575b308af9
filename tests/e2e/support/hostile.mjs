// What hostile clients send, and how one sees that it did no harm.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { within } from "./patience.mjs";

/** More than any limit. */
export const MEGABYTE = 1_000_000;

/** JSON texts of values that no field is meant to have. */
export const VALUES = [
  ...["0", "-1", "1.5", "-0", "1e400", "9".repeat(400), "true", "false"],
  ...["[]", "[null]", '[{"a":[[]]}]', `${"[".repeat(30_000)}${"]".repeat(30_000)}`],
  ...["{}", '{"$ne":null}', '{"$gt":""}', '{"$where":"1"}', '{"toString":"x"}', '{"__proto__":{"admin":true}}'],
  ...['""', '" "', '"\\u0000"', '"a\\u0007b"', '"a\\nb"', '"\\ud800"', '"\\u202e"', '"💥"', '"null"', '"0"'],
  ...['"__proto__"', '"constructor"', '"$where"', '"{{7*7}}"', '"%00"', '"../../etc/passwd"', `"' OR '1'='1' --"`],
  ...['"<script>alert(1)</script>"', `"${"x".repeat(1_025)}"`, `"${"€".repeat(20_000)}"`],
];

/**
 * A text of JSON inside of JSON, with the key by which serde_json recognises its own raw values: each level is nested as
 * deeply as one text may be. It is not closed.
 */
export const RAW_VALUES = Array.from({ length: 60 }).reduce(
  (inner) => `${"[".repeat(126)}{"$serde_json::private::RawValue":"${inner.replaceAll("\\", "\\u005c").replaceAll('"', "\\u0022")}"`,
  "1",
);

/** The same as text in a URL, and what is no text there. */
export const URL_VALUES = [
  ...["", "0", "-1", "1e9", "NaN", "null", "undefined", "[]", "{}", "%00", "%0d%0aX:%201", "%ff%fe", "%", "%zz", "%ed%a0%80"],
  ...["..%2f..%2fetc", "__proto__", "constructor", "$where", "%27%20OR%20%271%27=%271", "%f0%9f%92%a5", "x".repeat(8_000)],
];

/** A TCP connection on which one says what one likes; what comes back, and whether it ended. */
export class Tcp {
  text = "";

  static async open(url) {
    const tcp = new Tcp();
    const { hostname, port } = new URL(url);
    tcp.socket = connect(Number(port), hostname);
    // A reset is an end like any other.
    tcp.socket.on("error", () => {});
    tcp.ended = new Promise((resolve) => tcp.socket.once("close", resolve));
    tcp.answered = new Promise((resolve) =>
      tcp.socket.on("data", (data) => {
        tcp.text += data.toString("latin1");
        if (/^HTTP\/1\.[01] \d{3}/.test(tcp.text)) resolve();
      }),
    );
    await within(new Promise((resolve) => tcp.socket.once("connect", resolve)), "the connection");
    return tcp;
  }

  send(bytes) {
    this.socket.write(bytes);
    return this;
  }

  /** The status, or 0 where the connection ended without one. */
  async status(what) {
    await within(Promise.race([this.answered, this.ended]), `an answer to ${what}`);
    return Number(/^HTTP\/1\.[01] (\d{3})/.exec(this.text)?.[1] ?? 0);
  }

  /** The connection ended, or the WebSocket on it was closed: a client that does not close it in turn is left to itself. */
  async closed(what) {
    const closed = new Promise((resolve) => this.socket.on("data", () => /\r\n\r\n.*\x88/s.test(this.text) && resolve()));
    await within(Promise.race([closed, this.ended]), `the end of ${what}`);
  }

  /** As a client that crashes: without a goodbye. */
  reset() {
    this.socket.resetAndDestroy();
  }
}

/** Nothing that the Worker has logged is a fault of its own. */
export function assertNoFault(server) {
  const faults = server.logged.filter((line) => /panicked|unreachable|RuntimeError|"level":"error"/.test(line));
  assert.deepEqual(faults, []);
}

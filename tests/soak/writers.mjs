// People who write by the REST API all the time, and know what has been answered: that must be there, whatever was killed.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { call, person } from "../e2e/support/people.mjs";
import { done } from "./crowd.mjs";

/** Who does not get an answer tries again after this. */
const PAUSE = 50;

export class Writer {
  /** By their ids: rooms that were made, whether the hub is in them, and the log of a call in them. */
  rooms = new Map();
  /** All names that were asked for, and which one of them was last answered. */
  names;
  name = 0;
  answered = 0;
  refused = 0;
  /** How many of the rooms were complete and there at the last check. */
  #checked = 0;
  #going = true;

  constructor(server, someone, hub, { isRefusal }) {
    Object.assign(this, { server, someone, hub, isRefusal, names: [someone.username] });
    this.over = this.#write();
  }

  static async start(server, hub, options) {
    return new Writer(server, await person(server), hub, options);
  }

  stop() {
    this.#going = false;
    return this.over;
  }

  /** What has been answered since the last check, or `all`, is there, once. */
  async check({ all = false } = {}) {
    const { token } = this.someone;
    const { name } = this;
    // The last one is being written.
    const complete = this.rooms.size - 1;
    const rooms = [...this.rooms].slice(all ? 0 : Math.max(0, this.#checked)).map(([roomId, room]) => [roomId, { ...room }]);
    const { username } = (await done(this.server, "GET", "/api/user/profile", { token })).user;
    assert.ok(this.names.slice(name).includes(username), `the name is ${username}, answered was ${this.names[name]}`);
    const logs = new Map();
    for (let cursor = ""; cursor !== null; ) {
      const page = await done(this.server, "GET", `/api/call-logs?limit=100${cursor && `&cursor=${cursor}`}`, { token });
      for (const log of page.callLogs) logs.set(log.roomId, [...(logs.get(log.roomId) ?? []), log._id]);
      cursor = page.nextCursor;
    }
    for (const [roomId, { isJoined, log }] of rooms) {
      const { room } = await done(this.server, "GET", `/api/room/${roomId}`, { token });
      if (isJoined) assert.ok(room.participants.includes(this.hub.id), `who joined ${roomId} is in it`);
      if (log) assert.deepEqual(logs.get(roomId), [log], `the one log of ${roomId}`);
    }
    this.#checked = complete;
  }

  async #write() {
    const { id, token } = this.someone;
    for (let round = 0; this.#going; round += 1) {
      const made = await this.#ask("POST", "/api/room/create", { token });
      if (!made) continue;
      const { roomId } = made;
      const room = {};
      this.rooms.set(roomId, room);
      room.isJoined = (await this.#ask("POST", `/api/room/join/${roomId}`, { token: this.hub.token })) !== undefined;
      if (!room.isJoined) continue;
      const posted = await this.#ask("POST", "/api/call-logs", { token, body: { callerId: id, receiverId: this.hub.id, roomId } });
      room.log = posted?.callLog._id;
      const username = `w_${id.slice(-8)}_${round}`;
      const number = this.names.push(username) - 1;
      if (await this.#ask("PUT", "/api/user/profile", { token, body: { username } })) this.name = number;
    }
  }

  /** The answer, if there is one: the server may be gone, before it has done it or after. */
  async #ask(...request) {
    const answer = await call(this.server, ...request).catch(() => undefined);
    if (answer && answer.status < 300) {
      this.answered += 1;
      return answer.json;
    }
    if (answer) assert.ok(this.isRefusal(answer), `${request.slice(0, 2).join(" ")}: ${answer.status} ${answer.text}`);
    this.refused += 1;
    await pause(PAUSE);
  }
}

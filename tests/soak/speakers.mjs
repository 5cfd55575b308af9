// Who sits in a room and says numbered things: many on a bare WebSocket each, and some with the real client.

import { Client } from "../e2e/support/people.mjs";
import { RawSocket } from "../e2e/support/raw.mjs";

/** The event that carries what is said; small and relayed untouched, as most of a call's events are. */
const EVENT = "ice-candidate";
const FRAME = `42["${EVENT}",`;

/** Without a client library: a tenth of the real client's cost, so that one process can be thousands. */
export class WireSpeaker extends RawSocket {
  /** Is told what was said to it. */
  hears = () => {};
  /** Is told of an end or an error that nobody asked for. */
  fails = () => {};

  static async join(server, room, someone) {
    const speaker = await this.open(server, room, someone.token);
    speaker.room = room;
    speaker.socket.on("close", (code) => speaker.fails(`closed with ${code}`));
    return speaker;
  }

  note(frame) {
    if (frame.startsWith(FRAME)) this.hears(JSON.parse(frame.slice(2))[1]);
    else if (frame.startsWith('42["error"')) this.fails(frame);
    else super.note(frame);
  }

  say(value) {
    this.send(`42["${EVENT}","${this.room}",${JSON.stringify(value)}]`);
  }

  /** Says goodbye first, as the real client does: without it the connection would count as lost. */
  close() {
    this.send("41");
    super.close();
  }
}

/** The real client, in any of its ways. */
export class ClientSpeaker extends Client {
  hears = () => {};
  fails = () => {};

  constructor(server, room, options) {
    super(server, room, options);
    this.room = room;
  }

  note(thing) {
    const [event, value] = thing;
    if (event === EVENT) return this.hears(value);
    if (event === "error" || event === "(disconnect)") this.fails(JSON.stringify(thing));
    super.note(thing);
  }

  say(value) {
    this.emit(EVENT, this.room, value);
  }
}

/** Says goodbye, which is no failure. */
export function leave(speakers) {
  for (const speaker of speakers) {
    speaker.fails = () => {};
    speaker.close();
  }
}

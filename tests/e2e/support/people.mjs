// The fixture language of the stories: people who register, make rooms and talk over real clients.

import { createHmac, randomBytes } from "node:crypto";
import { io } from "socket.io-client";
import { Listener, PATIENCE, eventually } from "./patience.mjs";
import { JWT_SECRET } from "./server.mjs";

const PASSWORD = "Sup3rSecret";

/** A request; the answer with its body parsed. */
export async function call(server, method, path, { token, body, headers = {} } = {}) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: text ? JSON.parse(text) : undefined };
}

/** Somebody who is registered: `{id, username, email, token, password}`. */
export async function person(server, prefix = "user") {
  const username = `${prefix}_${randomBytes(5).toString("hex")}`;
  const email = `${username}@example.com`;
  const { status, json } = await call(server, "POST", "/api/auth/register", {
    body: { username, email, password: PASSWORD },
  });
  if (status !== 201) throw new Error(`registration failed: ${status} ${JSON.stringify(json)}`);
  return { id: json.user.id, username, email, token: json.token, password: PASSWORD };
}

/** A room of these people, the first its host. */
export async function roomOf(server, host, ...others) {
  const { json } = await call(server, "POST", "/api/room/create", { token: host.token });
  for (const other of others) await call(server, "POST", `/api/room/join/${json.roomId}`, { token: other.token });
  return json.roomId;
}

/** A token with any claims, signed as the server signs, or as another algorithm has it. */
export function forgeToken(claims, secret = JWT_SECRET, algorithm = "HS256") {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: algorithm, typ: "JWT" })}.${encode(claims)}`;
  if (algorithm === "none") return `${signed}.`;
  return `${signed}.${createHmac(algorithm.replace("HS", "sha"), secret).update(signed).digest("base64url")}`;
}

/** The ways in which a client can connect: what the options say of transports, and whether it names its room. */
export const WAYS = {
  room: { name: "room named in the handshake, over WebSocket", options: { transports: ["websocket"] }, namesRoom: true },
  roomPolling: { name: "room named in the handshake, polling first", options: {}, namesRoom: true },
  stock: { name: "default options, room named by join-room", options: {}, namesRoom: false },
  polling: { name: "polling only, room named by join-room", options: { transports: ["polling"] }, namesRoom: false },
};

/** Those of them in which a story is told that asks the database: on MongoDB one is enough, as what is relayed never asks it. */
export const ofDatabase = (ways) => (process.env.TEST_STORE === "mongodb" ? ways.filter((way) => way === WAYS.stock) : ways);

/** A real client in the room's object, with everything it hears in order. */
export class Client extends Listener {
  constructor(server, roomId, { token, auth = token ? { token } : undefined, way = server.way ?? WAYS.room, ...options } = {}) {
    super();
    const { namesRoom, options: ofWay } = way;
    this.socket = io(server.url, {
      ...ofWay,
      forceNew: true,
      reconnection: false,
      ...options,
      query: namesRoom && roomId ? { roomId } : {},
      auth,
    });
    const note = (event, ...args) => this.note([event, ...args]);
    // Every event ends with the offset that the client needs to recover; only an error may have none.
    this.socket.onAny((event, ...args) => {
      if (isOffset(args.at(-1))) this.offset = args.pop();
      else if (event !== "error") throw new Error(`“${event}” came without an offset: ${JSON.stringify(args)}`);
      note(event, ...args);
    });
    this.socket.on("connect", () => note("(connect)", ...(this.socket.recovered ? [true] : [])));
    this.socket.on("connect_error", (error) => note("(connect_error)", error.message, error.data));
    this.socket.on("disconnect", (reason) => note("(disconnect)", reason));
  }

  /** Waits for the next thing of that name and gives its arguments; what came before it is dropped. */
  async next(event) {
    const found = await this.until(() => this.heard.findIndex(([name]) => name === event) + 1, `“${event}”`);
    const [, ...args] = this.heard.splice(0, found).at(-1);
    return args;
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits and waits for the ack. */
  ask(...args) {
    return this.socket.timeout(PATIENCE).emitWithAck(...args);
  }

  /** Takes what was heard so far. */
  taken() {
    return this.heard.splice(0);
  }

  close() {
    this.socket.disconnect();
  }

  /** From now on nothing of the server reaches it. */
  mute() {
    this.socket.io.engine.transport.onData = () => {};
  }

  /** Ends the connection without a goodbye. */
  cut() {
    const { engine } = this.socket.io;
    if (engine.transport.name === "websocket") engine.transport.ws.terminate();
    else engine.close();
  }
}

const isOffset = (argument) => /^[\w-]{22}\.[\w-]{8}\.\d+$/.test(argument);

/** A client that is connected and in the room; `as`: a kind of its own. */
export async function joined(server, roomId, someone, { as: Kind = Client, ...options } = {}) {
  const client = new Kind(server, roomId, { token: someone.token, ...options });
  await client.next("(connect)");
  const answer = await client.ask("join-room", roomId, someone.id);
  if (!answer.ok) throw new Error(`not admitted: ${JSON.stringify(answer)}`);
  client.taken();
  return client;
}

/** A sentence that everybody in the room hears after whatever was said before. */
export async function marker(client, roomId, ...listeners) {
  const text = randomBytes(6).toString("hex");
  client.emit("chat-message", roomId, text);
  const everybody = [client, ...listeners];
  const isMarker = ([event, chat]) => event === "chat-message" && chat.message === text;
  await eventually(everybody, () => everybody.every(({ heard }) => heard.some(isMarker)), "the marker");
  return (listener) => listener.taken().filter(([, chat]) => chat?.message !== text);
}

// @ts-check
// A call: the people in the room, over Socket.IO, and a media connection to each of them.

import { io } from "socket.io-client";
import { api } from "../api.js";
import { errorWords } from "../error_words.js";
import { IceServers } from "./ice_servers.js";
import { listen } from "./incoming.js";
import { Names } from "./names.js";
import { Peer } from "./peer.js";
import { FINAL, PASSING, REASONS } from "./words.js";

/** @import { Socket } from "socket.io-client" */
/** @import { ClientToServerEvents, JoinedAck, RefusedAck, SaidAck, ServerToClientEvents, components } from "@zetra/client-types" */

const FIELD = { offer: "offer", answer: "answer", "ice-candidate": "candidate" };
/** Milliseconds between two measurements of the connections. */
const MEASURE = 2_000;
/** Milliseconds, on average, until a refused connection is tried again. */
const RETRY = 3_000;
/** Messages by which a repeated one is recognised: more than the server keeps for those who come back. */
const MOST_HEARD = 1_000;

/**
 * Events: `change` (people, their media, the connection, the room), `joined`, `moved` and `gone` (`detail`: a sentence with the
 * name, and the reason), `chat` (`detail`: the message), `end` (`detail`: `{code, reason}`, the reason as a code and as a sentence).
 * A newcomer sends an offer to everybody already in the room; they wait for it.
 */
export class Call extends EventTarget {
  /** The others, by user id: `{id, peer, media}`. */
  people = new Map();
  /** `connecting`, `joined` or `reconnecting` */
  state = "connecting";
  /** The room as the server last reported it, if it has.
   * @type {components["schemas"]["RoomWithPresence"] | undefined} */
  room = undefined;
  /** @type {Socket<ServerToClientEvents, ClientToServerEvents>} */
  socket;
  #heard = new Set();
  #admitted = false;
  #over = false;
  /** The media state last sent, as JSON. */
  #told = "";
  /** How often it was sent, and the last time of which the server has told that it came. */
  #tellings = 0;
  #arrivedTelling = 0;
  /** The token with which we connected last. */
  #presented;
  /** Counts the starts and ends of host actions on the room. */
  #changes = 0;
  /** Who came after us and is announced once their name is known. */
  #unannounced = new Set();

  constructor({ roomId, room, session, media }) {
    super();
    this.roomId = roomId;
    this.room = room;
    this.media = media;
    this.me = session.user.id;
    this.token = session.token;
    this.#presented = session.token();
    const fetchPeople = async () => {
      const changes = this.#changes;
      const { room } = await api.get(`/api/room/${roomId}`);
      // The response may predate a host action that ran meanwhile.
      if (changes === this.#changes) this.room = room;
      else this.names.ask();
      return room.people;
    };
    this.names = new Names({ fetchPeople, changed: () => this.#named() });
    this.ice = new IceServers((configuration) => {
      for (const { peer } of this.people.values()) peer.configure(configuration);
    });
    media.addEventListener("change", this.#mediaChanged);
  }

  async start() {
    await this.ice.start();
    if (this.#over) return;
    this.measuring = setInterval(() => this.#measure(), MEASURE);
    const socket = (this.socket = io({ query: { roomId: this.roomId }, auth: (give) => give({ token: this.#currentToken() }), reconnectionDelay: 300, reconnectionDelayMax: 3_000 }));
    socket.on("connect", () => this.#connected());
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.on("connect_error", (error) => this.#refused(error));
    listen(socket, {
      "existing-users": (ids) => this.#meet(ids),
      "user-connected": (id) => this.#admitted && this.#arrived(id),
      "user-disconnected": (id, reason) => (reason === "replaced" ? this.#moves(id) : this.#gone(id, reason)),
      offer: (said) => this.#signal("offer", said),
      answer: (said) => this.#signal("answer", said),
      "ice-candidate": (said) => this.#signal("ice-candidate", said),
      "media-state": (said) => this.#mediaTold(said),
      "chat-message": (message) => this.#chat(message),
      "room-ended": () => this.#end("room_ended"),
      removed: () => this.#end("removed"),
      error: ({ code }) => FINAL.has(code) && !this.#hasNewerToken(code) && this.#end(code),
    });
  }

  /** Sends a chat message. Resolves to its id and timestamp once the server accepts it; rejects with the server's error. */
  async say(text) {
    /** @type {SaidAck | RefusedAck} */
    const answer = await this.socket.timeout(10_000).emitWithAck("chat-message", this.roomId, text);
    if (!answer.ok) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer;
  }

  /** Makes the others fetch our new name: no event carries it, but they do so after an unchanged media state. */
  renamed() {
    if (this.#admitted) this.#tellMedia();
  }

  leave() {
    this.#stop();
  }

  // ── the host's rights

  get isHost() {
    return this.room?.host === this.me;
  }

  /** Ends the room for all participants. */
  async endForAll() {
    await api.delete(`/api/room/${this.roomId}`);
  }

  /** Removes a person, who cannot rejoin until readmitted. */
  async remove(userId) {
    await this.#change("kick", { userId });
  }

  async readmit(userId) {
    await this.#change("readmit", { userId });
  }

  /** A locked room accepts only people who are already participants. */
  async lock(locked) {
    await this.#change(locked ? "lock" : "unlock", {});
  }

  async #change(what, body) {
    const own = (this.#changes += 1);
    try {
      const { room } = await api.post(`/api/room/${this.roomId}/${what}`, body);
      // After two concurrent changes, ask the server for the result.
      if (own === this.#changes) this.room = { ...this.room, ...room };
      else this.names.ask();
    } finally {
      this.#changes += 1;
    }
    this.#changed();
  }

  // ── the room

  async #connected() {
    // What it missed comes before this: it may have been the end.
    if (this.#over) return;
    // Recovered: the server restored our place in the room, and the media never stopped.
    if (this.socket.recovered && this.#admitted) {
      // It brings back what the server has sent meanwhile; what was sent to it may be lost.
      if (this.#arrivedTelling !== this.#tellings) this.#tellMedia();
      return this.#set("joined");
    }
    this.#admitted = false;
    try {
      /** @type {JoinedAck | RefusedAck} */
      const answer = await this.socket.timeout(10_000).emitWithAck("join-room", this.roomId, this.me);
      if (answer.ok) return;
      if (PASSING.has(answer.error.code)) this.#tryAgain();
      else this.#end(answer.error.code, errorWords(answer.error));
    } catch {
      // A lost connection comes back by itself, and joins then.
      if (this.#over || !this.socket.connected) return;
      // No acknowledgement in time: the connection is dead, so a new one joins.
      this.#set("reconnecting");
      this.socket.disconnect().connect();
    }
  }

  /** Runs once after each join, before any newcomer is announced. */
  #meet(ids) {
    this.#admitted = true;
    clearTimeout(this.retrying);
    this.#set("joined");
    this.names.ask();
    // Who is still here keeps their tile, and with it pin and full screen.
    for (const id of [...this.people.keys()].filter((id) => !ids.includes(id))) this.#gone(id);
    for (const id of ids.filter((id) => id !== this.me)) this.#newcomer(id).peer.open();
    this.#tellMedia();
  }

  #arrived(id) {
    // Who is here already comes back over another connection.
    const isNew = !this.people.has(id) || this.#unannounced.has(id);
    this.#newcomer(id);
    if (isNew) this.#unannounced.add(id);
  }

  #named() {
    const known = [...this.#unannounced].filter((id) => this.people.has(id) && this.names.knows(id));
    for (const id of known) this.#unannounced.delete(id);
    const names = known.map((id) => this.names.of(id));
    if (names.length) this.dispatchEvent(new CustomEvent("joined", { detail: `${names.join(", ")} ${names.length === 1 ? "has" : "have"} joined` }));
    this.#changed();
  }

  /** Somebody who has just come, perhaps back: without a moment in which they are gone. */
  #newcomer(id) {
    this.people.get(id)?.peer.close();
    const person = { id, media: { audio: true, video: true, screen: false }, told: false };
    person.peer = new Peer({
      polite: this.me < id,
      configuration: this.ice.configuration,
      tracks: this.media.tracks,
      send: (kind, value) => this.#send(kind, id, value),
      changed: () => this.#changed(),
    });
    this.people.set(id, person);
    this.names.ask();
    this.#shareOut();
    this.#changed();
    return person;
  }

  #gone(id, reason) {
    const person = this.people.get(id);
    if (!person) return;
    person.peer.close();
    this.people.delete(id);
    this.#unannounced.delete(id);
    this.#shareOut();
    // The room may have a new host.
    if (reason === "account_deleted") this.names.ask();
    this.#say("gone", id, reason);
    this.#changed();
  }

  /** Somebody has joined from another tab or device. They arrive there at once, and until then keep their tile. */
  #moves(id) {
    // A newcomer without a name yet is announced as one.
    if (this.people.has(id) && !this.#unannounced.has(id)) this.#say("moved", id, "replaced");
  }

  #say(event, id, reason) {
    const words = REASONS[reason];
    if (words) this.dispatchEvent(new CustomEvent(event, { detail: `${this.names.of(id)} ${words}` }));
  }

  #disconnected(reason) {
    if (reason === "io client disconnect") return;
    this.#set("reconnecting");
    // Socket.IO does not reconnect by itself after the server closes the connection.
    if (reason === "io server disconnect") this.socket.connect();
  }

  /** The password may have been changed meanwhile, in another tab: this one goes on with the token that was given for it. */
  #currentToken() {
    return (this.#presented = this.token() ?? this.#presented);
  }

  #hasNewerToken(code) {
    return code?.startsWith("token_") && ![undefined, this.#presented].includes(this.token());
  }

  #refused(error) {
    const code = error.data?.code;
    if (this.#hasNewerToken(code)) this.#tryAgain();
    else if (FINAL.has(code)) this.#end(code);
    else if (!this.socket.active && !PASSING.has(code)) this.#end(code, error.message);
    else {
      this.#set(this.#admitted ? "reconnecting" : "connecting");
      if (!this.socket.active) this.#tryAgain();
    }
  }

  /** Connects again a little later, as Socket.IO does not by itself after the server has refused something. */
  #tryAgain() {
    clearTimeout(this.retrying);
    this.retrying = setTimeout(() => this.socket.disconnect().connect(), RETRY * (0.5 + Math.random()));
  }

  // ── the others

  #send(kind, targetUserId, value) {
    this.socket.emit(kind, { roomId: this.roomId, [FIELD[kind]]: value, targetUserId });
  }

  #signal(kind, { senderId, value }) {
    // After a recovery an offer may arrive before its sender's `user-connected`.
    const person = this.people.get(senderId) ?? (kind === "offer" ? this.#newcomer(senderId) : undefined);
    person?.peer.receive(kind, value);
  }

  #mediaTold({ userId, media }) {
    const person = this.people.get(userId);
    if (!person) return;
    // An unchanged state means that the sender was renamed; see `renamed`.
    if (person.told && JSON.stringify(media) === JSON.stringify(person.media)) this.names.ask();
    Object.assign(person, { media, told: true });
    this.#changed();
  }

  #chat(message) {
    if (this.#heard.has(message.id)) return;
    this.#heard.add(message.id);
    if (this.#heard.size > MOST_HEARD) this.#heard.delete(this.#heard.values().next().value);
    this.dispatchEvent(new CustomEvent("chat", { detail: message }));
  }

  // ── media

  /** What is sent to one person depends on how many there are. */
  #shareOut() {
    for (const { peer } of this.people.values()) peer.share(this.people.size);
  }

  #measure() {
    for (const { peer } of this.people.values()) peer.measure();
  }

  #mediaChanged = () => {
    for (const { peer } of this.people.values()) peer.replace(this.media.tracks);
    if (this.#admitted && JSON.stringify(this.media.state) !== this.#told) this.#tellMedia();
    this.#changed();
  };

  #tellMedia() {
    this.#told = JSON.stringify(this.media.state);
    const telling = (this.#tellings += 1);
    const state = { roomId: this.roomId, ...this.media.state };
    this.socket.emit("media-state", state, () => (this.#arrivedTelling = telling));
  }

  // ── the end

  #end(code, reason = FINAL.get(code)) {
    this.#stop();
    this.dispatchEvent(new CustomEvent("end", { detail: { code, reason } }));
  }

  #stop() {
    this.#over = true;
    this.#admitted = false;
    this.ice.stop();
    clearInterval(this.measuring);
    clearTimeout(this.retrying);
    this.names.stop();
    this.media.removeEventListener("change", this.#mediaChanged);
    this.socket?.disconnect();
    for (const { peer } of this.people.values()) peer.close();
    this.people.clear();
  }

  #set(state) {
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

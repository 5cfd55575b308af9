// The media connection to one other person. It negotiates with the "perfect negotiation" pattern of the WebRTC
// specification (section 10.7), in which both sides may offer at any time and one of them gives way.
//
// The other side may send any description, and come and go as it likes: what the browser refuses is logged to
// the console and costs at most this connection. Nothing here throws or rejects because of it. A browser allows
// only a few hundred connections, including closed ones that are not yet garbage-collected, so for the first seconds
// no connection is created while waiting for an offer.
//
// A connection has four lines, negotiated once, so that sharing a screen needs no further offer: of each kind the first is
// for microphone or camera, the second for the screen. Somebody else's client may open with fewer lines; then the screen
// takes the camera's.
//
// People who come back at the same moment may each answer an offer that the other has given up since. So every signal names
// the attempt that it belongs to, chosen by the side that opens: an offer of another attempt begins a new connection. An
// answer to another one, perhaps of a Peer before this one, means that the sides have missed each other: its recipient
// opens again. Somebody else's client names none; then all is taken as meant for the present connection.

import { QualityMeter } from "./quality.js";
import { cameraEncoding, screenEncoding } from "./send_limits.js";

/** What is sent, in the order of the lines, and its kind. */
const KINDS = { microphone: "audio", camera: "video", screen: "video", screenSound: "audio" };
/** Milliseconds a connection may be interrupted before its candidates are gathered again. */
const PATIENCE = 4_000;
/** Milliseconds to wait for an offer, and then for a connection, before it is opened anew; browsers may try for ever. */
const LONGEST = 15_000;
/** How many candidates are kept until their description arrives: more than a machine has addresses. */
const MOST_EARLY = 100;
/** How often in a row the sides may miss each other before it is left as it is. */
const MOST_REOPENED = 5;
/** How many attempts in a row the other side may begin: each costs a connection, of which a browser has only so many. */
const MOST_ATTEMPTS = 10;

export class Peer {
  /** The other side's microphone and camera. */
  stream = new MediaStream();
  /** The other side's screen and its sound; without a picture until a line for it was negotiated. */
  screen = new MediaStream();
  /** `{bars, words}`: how good the connection is, once it was measured. */
  quality = undefined;
  #meter = new QualityMeter();
  #closed = false;
  #opener = false;
  /** @type {string | undefined} */
  #attempt = undefined;
  #reopened = 0;
  #attempts = 0;
  /** Whether the other side names no attempts: it is somebody else's client, and looks at the camera's line only. */
  #isForeign = false;
  /** To how many people the same is sent. */
  #others = 1;
  /** All that is sent is of this stream. Clients that look at streams show its first picture, the camera's. */
  #sent = new MediaStream();
  #makingOffer = false;
  #ignoring = false;
  /** Candidates that arrived before the description they belong to. */
  #early = [];
  /** Handles incoming signals in order. */
  #queue = Promise.resolve();
  #interrupted;
  #overdue;
  #hopeless;
  /** Whether they were connected once, and whether an attempt to be has failed. */
  #met = false;
  #failed = false;

  /**
   * `polite`: gives way when both offer at once. `tracks`: what is sent, each a track or null: `{microphone, camera, screen,
   * screenSound}`. `send(kind, value)` sends offers, answers and candidates to the other side; `changed()` is called when
   * the connection's state, its tracks or its quality change.
   */
  constructor({ polite, configuration, tracks, send, changed }) {
    Object.assign(this, { polite, configuration, tracks, send, changed });
    // An offer that should have come is lost.
    this.#overdue = setTimeout(() => this.open(), LONGEST);
  }

  /** Begins a connection, instead of the one there is. */
  #connect(attempt) {
    this.#abandon();
    this.#attempt = attempt;
    const connection = (this.connection = new RTCPeerConnection(this.configuration));
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) => candidate && this.send("ice-candidate", { ...candidate.toJSON(), attempt });
    connection.ontrack = ({ track, transceiver }) => {
      const lines = this.#lines();
      const isScreen = transceiver === lines.screen || transceiver === lines.screenSound;
      (isScreen ? this.screen : this.stream).addTrack(track);
      this.changed();
    };
    this.#awaitConnection();
    // Counts from the first attempt: the next one may arrive just before this one is overdue here.
    this.#hopeless ??= setTimeout(() => {
      this.#failed = true;
      this.changed();
    }, LONGEST);
    connection.onconnectionstatechange = () => {
      clearTimeout(this.#interrupted);
      if (connection.connectionState === "connected") {
        this.#awaitNothing();
        clearTimeout(this.#hopeless);
        [this.#met, this.#reopened, this.#attempts] = [true, 0, 0];
      }
      if (connection.connectionState === "failed") {
        this.#failed = true;
        this.#renew();
      }
      if (connection.connectionState === "disconnected") this.#interrupted = setTimeout(() => this.#renew(), PATIENCE);
      this.changed();
    };
  }

  /** `new`, `connecting`, `connected`, `disconnected`, `failed` or `closed` */
  get state() {
    return this.#closed ? "closed" : (this.connection?.connectionState ?? "new");
  }

  /** Starts the negotiation, which the newcomer does. Adds all lines, used or not. */
  open() {
    this.#opener = true;
    try {
      this.#connect(Math.random().toString(36).slice(2));
      const line = { direction: "sendrecv", streams: [this.#sent] };
      for (const [name, kind] of Object.entries(KINDS)) this.connection.addTransceiver(this.tracks[name] ?? kind, line);
      this.#limit();
    } catch (error) {
      this.#complain("no connection could be made", error);
    }
  }

  /** Replaces the tracks that are sent; this needs no negotiation. */
  async replace(tracks) {
    this.tracks = tracks;
    const lines = this.#lines();
    const sent = this.#sharesLine() ? { ...tracks, camera: tracks.screen ?? tracks.camera, screen: null } : tracks;
    const replaced = Object.entries(lines).map(([name, { sender }]) => sender.replaceTrack(sent[name]));
    await Promise.all(replaced).catch((error) => this.#complain("a track is not sent", error));
    await this.#limit();
  }

  /** Adapts what is sent to the number of people it is sent to. */
  async share(others) {
    if (others === this.#others) return;
    this.#others = others;
    await this.#limit();
  }

  /** Measures the quality of the connection. */
  async measure() {
    if (this.state !== "connected") return;
    const before = this.quality?.bars;
    const stats = await this.connection.getStats().catch(() => undefined);
    if (!stats) return;
    this.quality = this.#meter.read(stats.values());
    if (this.quality?.bars !== before) this.changed();
  }

  /** How loud the other side is right now, from 0 to 1. */
  get loudness() {
    const sources = this.#lines().microphone?.receiver.getSynchronizationSources() ?? [];
    return Math.max(0, ...sources.map(({ audioLevel }) => audioLevel ?? 0));
  }

  /** Whether no way to the other side was ever found, and there is no relay that could be one. */
  get unreachable() {
    const addresses = (this.configuration?.iceServers ?? []).flatMap(({ urls }) => urls);
    return this.#failed && !this.#met && !addresses.some((address) => /^turns?:/.test(address));
  }

  receive(kind, value) {
    const handle = () => (kind === "ice-candidate" ? this.#candidate(value) : this.#description(value));
    this.#queue = this.#queue.then(handle).catch((error) => this.#complain(`a peer's ${kind} was not understood`, error));
  }

  configure(configuration) {
    this.configuration = configuration;
    this.connection?.setConfiguration(configuration);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#hopeless);
    this.#abandon();
  }

  /**
   * Restarts ICE. Only the side that opened does so: if both offer within an established connection, one has to
   * roll back, and Chromium shows no more video after that, although it still decodes it.
   */
  #renew() {
    if (!this.#opener) return;
    this.connection.restartIce();
    this.#awaitConnection();
  }

  /** Opens anew in a while: the offer, its answer or all candidates may be lost, or were for somebody who has come anew since. */
  #awaitConnection() {
    // Another restart adds nothing while the offer of the one before is not answered.
    this.#overdue ??= setTimeout(() => {
      this.#overdue = undefined;
      if (this.#opener) this.#reopen();
    }, LONGEST);
  }

  #awaitNothing() {
    clearTimeout(this.#overdue);
    this.#overdue = undefined;
  }

  async #offer() {
    const [connection, attempt] = [this.connection, this.#attempt];
    this.#makingOffer = true;
    try {
      await connection.setLocalDescription();
      if (connection === this.connection) this.send("offer", { ...connection.localDescription.toJSON(), attempt });
    } catch (error) {
      // If this side gave way meanwhile, the offer is no longer needed.
      if (connection === this.connection) this.#complain("no offer could be made", error);
    } finally {
      if (connection === this.connection) this.#makingOffer = false;
    }
  }

  async #description({ type, sdp, attempt }) {
    if (this.#closed) return;
    if (type === "answer") {
      // Of an offer that was given up, perhaps by a Peer before this one.
      if (attempt !== undefined && attempt !== this.#attempt) return this.#reopen();
      // An answer without an offer of ours.
      if (!this.connection) return;
      this.#ignoring = false;
      await this.#remember({ type, sdp });
      this.#isForeign = attempt === undefined;
      return this.#isForeign && this.replace(this.tracks);
    }
    const collision = this.#makingOffer || (this.connection && this.connection.signalingState !== "stable");
    this.#ignoring = Boolean(collision && !this.polite);
    if (this.#ignoring) return;
    // Giving way discards our connection with its offer, so that no rollback is needed.
    const givesWay = collision && ["new", "connecting"].includes(this.state);
    const isAnother = attempt !== undefined && attempt !== this.#attempt;
    if (!this.connection || givesWay || isAnother) {
      if (this.#attempts === MOST_ATTEMPTS) return;
      this.#attempts += 1;
      this.#opener = false;
      this.#connect(attempt);
    }
    const { connection } = this;
    await this.#remember({ type, sdp });
    this.#isForeign = attempt === undefined;
    for (const line of Object.values(this.#lines())) {
      line.direction = "sendrecv";
      line.sender.setStreams?.(this.#sent);
    }
    await this.replace(this.tracks);
    await connection.setLocalDescription();
    // Only now do these lines have encodings.
    await this.#limit();
    if (connection === this.connection) this.send("answer", { ...connection.localDescription.toJSON(), attempt: this.#attempt });
  }

  /** Takes the other side's description, and the candidates of it that have arrived before. */
  async #remember(description) {
    await this.connection.setRemoteDescription(description);
    for (const candidate of this.#early.splice(0)) await this.#add(candidate);
  }

  /** The sides have missed each other: each waits for the other, unless they are connected. */
  #reopen() {
    if (this.state === "connected" || this.#reopened === MOST_REOPENED) return;
    this.#reopened += 1;
    // What waits for the connection that is given up waits for ever.
    this.#queue = Promise.resolve();
    this.open();
  }

  /** Lets go of the connection there is, and of all that belongs to it. */
  #abandon() {
    clearTimeout(this.#interrupted);
    this.#awaitNothing();
    if (!this.connection) return;
    this.connection.onnegotiationneeded = this.connection.onicecandidate = null;
    this.connection.ontrack = this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.connection = undefined;
    this.#makingOffer = false;
    this.#early = [];
    [this.stream, this.screen] = [new MediaStream(), new MediaStream()];
  }

  async #candidate(candidate) {
    if (this.#ignoring && candidate.attempt !== this.#attempt) return;
    if (this.connection?.remoteDescription) await this.#add(candidate);
    else if (this.#early.length < MOST_EARLY) this.#early.push(candidate);
  }

  /** An unusable candidate must not stop the others. */
  async #add({ attempt, ...candidate }) {
    if (attempt !== undefined && attempt !== this.#attempt) return;
    await this.connection.addIceCandidate(candidate).catch((error) => this.#complain("a peer's ice-candidate was not understood", error));
  }

  /** The transceivers we use, by name: at most four, however many the other side describes. */
  #lines() {
    const lines = (this.connection?.getTransceivers() ?? []).filter(({ direction }) => direction !== "stopped");
    const of = (kind) => lines.filter(({ receiver }) => receiver.track.kind === kind);
    const [microphone, screenSound] = of("audio");
    const [camera, screen] = of("video");
    return Object.fromEntries(Object.entries({ microphone, camera, screen, screenSound }).filter(([, line]) => line));
  }

  /** Whether the screen has to take the camera's line. */
  #sharesLine() {
    return this.#isForeign || !this.#lines().screen;
  }

  /** Sets the size of the pictures that are sent. */
  async #limit() {
    const { camera, screen } = this.#lines();
    const { width, height } = this.tracks.camera?.getSettings() ?? {};
    const isScreen = this.tracks.screen && this.#sharesLine();
    // A phone that is held upright has pictures that are higher than wide.
    const wanted = [[camera, isScreen ? screenEncoding() : cameraEncoding(this.#others, Math.min(width, height))], [screen, screenEncoding()]];
    const set = async ([line, encoding]) => {
      const parameters = line?.sender.getParameters();
      // There is nothing to limit before the line was negotiated.
      if (!parameters?.encodings?.length) return;
      for (const each of parameters.encodings) Object.assign(each, encoding);
      await line.sender.setParameters(parameters);
    };
    // A negotiation may change the parameters between reading and setting them.
    const limited = wanted.map((each) => set(each).catch(() => set(each)));
    await Promise.all(limited).catch((error) => this.#complain("what is sent could not be limited", error));
  }

  /** Logs nothing once the connection is closed. */
  #complain(what, error) {
    if (this.state !== "closed") console.warn(`${what}: ${error.message}`);
  }
}

// The media connection to one other person. It negotiates with the "perfect negotiation" pattern of the WebRTC
// specification (section 10.7), in which both sides may offer at any time and one of them gives way.
//
// The other side may send any description, and come and go as it likes: what the browser refuses is logged to
// the console and costs at most this connection. Nothing here throws or rejects because of it. A browser allows
// only a few hundred connections, including closed ones that are not yet garbage-collected, so no connection is
// created while waiting for an offer.

/** Milliseconds a connection may be interrupted before its candidates are gathered again. */
const PATIENCE = 4_000;
/** How many candidates are kept until their description arrives: more than a machine has addresses. */
const MOST_EARLY = 100;

export class Peer {
  /** The media received from the other side. */
  stream = new MediaStream();
  #closed = false;
  #opener = false;
  #makingOffer = false;
  #ignoring = false;
  /** Candidates that arrived before the description they belong to. */
  #early = [];
  /** Handles incoming signals in order. */
  #queue = Promise.resolve();
  #interrupted;

  /**
   * `polite`: gives way when both offer at once. `send(kind, value)` sends offers, answers and candidates to
   * the other side; `changed()` is called when the connection's state or its tracks change.
   */
  constructor({ polite, configuration, tracks, send, changed }) {
    Object.assign(this, { polite, configuration, tracks, send, changed });
  }

  #connect() {
    const connection = (this.connection = new RTCPeerConnection(this.configuration));
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) => candidate && this.send("ice-candidate", candidate.toJSON());
    connection.ontrack = ({ track }) => {
      this.stream.addTrack(track);
      this.changed();
    };
    connection.onconnectionstatechange = () => {
      clearTimeout(this.#interrupted);
      if (connection.connectionState === "failed") this.#renew();
      if (connection.connectionState === "disconnected") this.#interrupted = setTimeout(() => this.#renew(), PATIENCE);
      this.changed();
    };
  }

  /** `new`, `connecting`, `connected`, `disconnected`, `failed` or `closed` */
  get state() {
    return this.#closed ? "closed" : (this.connection?.connectionState ?? "new");
  }

  /** Starts the negotiation, which the newcomer does. Adds one audio and one video transceiver, used or not. */
  open() {
    this.#opener = true;
    try {
      this.#connect();
      for (const kind of ["audio", "video"]) this.connection.addTransceiver(this.tracks[kind] ?? kind, { direction: "sendrecv" });
    } catch (error) {
      this.#complain("no connection could be made", error);
    }
  }

  /** Replaces the tracks that are sent; this needs no negotiation. */
  async replace(tracks) {
    this.tracks = tracks;
    const replaced = this.#lines().map(({ sender, receiver }) => sender.replaceTrack(tracks[receiver.track.kind]));
    await Promise.all(replaced).catch((error) => this.#complain("a track is not sent", error));
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
    clearTimeout(this.#interrupted);
    this.connection?.close();
  }

  /**
   * Restarts ICE. Only the side that opened does so: if both offer within an established connection, one has to
   * roll back, and Chromium shows no more video after that, although it still decodes it.
   */
  #renew() {
    if (this.#opener) this.connection.restartIce();
  }

  async #offer() {
    const { connection } = this;
    this.#makingOffer = true;
    try {
      await connection.setLocalDescription();
      if (connection === this.connection) this.send("offer", connection.localDescription.toJSON());
    } catch (error) {
      // If this side gave way meanwhile, the offer is no longer needed.
      if (connection === this.connection) this.#complain("no offer could be made", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #description({ type, sdp }) {
    if (this.#closed) return;
    if (!this.connection) {
      // An answer without an offer of ours.
      if (type !== "offer") return;
      this.#connect();
    }
    const collision = type === "offer" && (this.#makingOffer || this.connection.signalingState !== "stable");
    this.#ignoring = collision && !this.polite;
    if (this.#ignoring) return;
    if (collision) this.#giveWay();
    const { connection } = this;
    await connection.setRemoteDescription({ type, sdp });
    for (const candidate of this.#early.splice(0)) await this.#add(candidate);
    if (type !== "offer") return;
    for (const line of this.#lines()) line.direction = "sendrecv";
    await this.replace(this.tracks);
    await connection.setLocalDescription();
    this.send("answer", connection.localDescription.toJSON());
  }

  /** Both sides opened at once. Discards our connection with its offer, so that no rollback is needed. */
  #giveWay() {
    if (this.state !== "new" && this.state !== "connecting") return;
    this.#opener = false;
    this.#early = [];
    this.connection.onnegotiationneeded = this.connection.onicecandidate = null;
    this.connection.ontrack = this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.stream = new MediaStream();
    this.#connect();
  }

  async #candidate(candidate) {
    if (this.#ignoring) return;
    if (this.connection?.remoteDescription) await this.#add(candidate);
    else if (this.#early.length < MOST_EARLY) this.#early.push(candidate);
  }

  /** An unusable candidate must not stop the others. */
  async #add(candidate) {
    await this.connection.addIceCandidate(candidate).catch((error) => this.#complain("a peer's ice-candidate was not understood", error));
  }

  /** The transceivers we send on: one audio and one video, however many the other side describes. */
  #lines() {
    const lines = (this.connection?.getTransceivers() ?? []).filter(({ direction }) => direction !== "stopped");
    const first = (kind) => lines.find(({ receiver }) => receiver.track.kind === kind);
    return [first("audio"), first("video")].filter(Boolean);
  }

  /** Logs nothing once the connection is closed. */
  #complain(what, error) {
    if (this.state !== "closed") console.warn(`${what}: ${error.message}`);
  }
}

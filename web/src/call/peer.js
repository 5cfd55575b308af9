// The media connection to one other person: negotiation after the "perfect negotiation" pattern of the WebRTC
// specification (section 10.7), in which both sides may offer at any time and one of them gives way.
//
// The other side may describe anything, and come and go as it likes: what the browser refuses is said in the console and
// costs at most this connection. Nothing here throws or rejects because of it. A browser makes only some hundred
// connections, closed ones counted that are not collected yet, so who waits for an offer has none.

/** How long a connection may be interrupted before its candidates are gathered anew. */
const PATIENCE = 4_000;
/** How many candidates are kept before the description they belong to: more than a machine has addresses. */
const MOST_EARLY = 100;

export class Peer {
  /** What comes from the other side. */
  stream = new MediaStream();
  #closed = false;
  #opener = false;
  #makingOffer = false;
  #ignoring = false;
  /** Candidates that came before the description they belong to. */
  #early = [];
  /** What came is handled in order. */
  #queue = Promise.resolve();
  #interrupted;

  /**
   * `polite`: gives way when both offer at once. `send(kind, value)` takes offers, answers and candidates to the
   * other side; `changed()` is called when the connection's state or its tracks change.
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

  /** Opens the conversation: what the newcomer does. One line for sound and one for pictures, used or not. */
  open() {
    this.#opener = true;
    try {
      this.#connect();
      for (const kind of ["audio", "video"]) this.connection.addTransceiver(this.tracks[kind] ?? kind, { direction: "sendrecv" });
    } catch (error) {
      this.#complain("no connection could be made", error);
    }
  }

  /** Sends other tracks from now on; nothing has to be negotiated for that. */
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
   * Gathers candidates anew. Only who has opened does: when both offer within a conversation, one has to roll back,
   * and Chromium shows no more pictures after that, though it goes on decoding them.
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
      // Who has given way while the offer was made needs none.
      if (connection === this.connection) this.#complain("no offer could be made", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #description({ type, sdp }) {
    if (this.#closed) return;
    if (!this.connection) {
      // Nothing was offered that could be answered.
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

  /** Both have opened at once. What was offered in vain is thrown away whole, which needs no rolling back. */
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

  /** A candidate that is of no use is no reason to give up the others. */
  async #add(candidate) {
    await this.connection.addIceCandidate(candidate).catch((error) => this.#complain("a peer's ice-candidate was not understood", error));
  }

  /** What we send on: one line for sound and one for pictures, however many the other side describes. */
  #lines() {
    const lines = (this.connection?.getTransceivers() ?? []).filter(({ direction }) => direction !== "stopped");
    const first = (kind) => lines.find(({ receiver }) => receiver.track.kind === kind);
    return [first("audio"), first("video")].filter(Boolean);
  }

  /** After the end nothing is worth a word. */
  #complain(what, error) {
    if (this.state !== "closed") console.warn(`${what}: ${error.message}`);
  }
}

// Two ends of one media connection, both in one page, with all that they say to each other in the hands of the test.

/**
 * Put into a page: `peersInPage(deliver)` makes a pair of peers with the fake devices, the first of them polite, and
 * `deliver(index, kind, value)` hears what each sends; `peer(index)` makes another one like that; `shows()` resolves to
 * whether each gets moving pictures from the other, within a minute.
 */
export const PEERS_IN_PAGE = () => {
  globalThis.peersInPage = async (deliver) => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const tracks = { microphone: stream.getAudioTracks()[0], camera: stream.getVideoTracks()[0], screen: null, screenSound: null };
    const peer = (index) => {
      const send = (kind, value) => deliver(index, kind, structuredClone(value));
      return new globalThis.peers.Peer({ polite: index === 0, configuration: {}, tracks, send, changed() {} });
    };
    const pair = [peer(0), peer(1)];
    const shows = async () => {
      const videos = pair.map(() => Object.assign(document.createElement("video"), { muted: true }));
      const deadline = Date.now() + 60_000;
      const moving = () => videos.map((video) => video.getVideoPlaybackQuality().totalVideoFrames > 5);
      while (moving().includes(false) && Date.now() < deadline) {
        videos.forEach((video, index) => {
          if (video.srcObject === pair[index].stream) return;
          video.srcObject = pair[index].stream;
          video.play().catch(() => {});
        });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const outcome = moving();
      for (const one of pair) one.close();
      for (const track of stream.getTracks()) track.stop();
      return outcome;
    };
    return { peer, pair, shows };
  };
};

/** Runs in the page: two peers both open; whether each gets moving pictures. `delays`: ms until each is heard. */
export async function meetAtOnce(delays) {
  const { pair, shows } = await globalThis.peersInPage((index, kind, value) => setTimeout(() => pair[1 - index].receive(kind, value), delays[index]));
  for (const peer of pair) peer.open();
  return shows();
}

/**
 * Runs in the page: two peers both open, and only the polite one's addresses are told to the other: whether each gets moving
 * pictures, which they do if the one whose offer counts takes these after it has ignored an offer.
 */
export async function meetByOneSide() {
  const isTold = (index, kind) => kind !== "ice-candidate" || index === 0;
  // The descriptions hold no addresses yet, as the first ones are sent before any is gathered.
  const withoutAddresses = (kind, value) => (kind === "ice-candidate" ? value : { ...value, sdp: value.sdp.replace(/^a=candidate.*\r\n/gm, "") });
  const { pair, shows } = await globalThis.peersInPage((index, kind, value) => {
    if (isTold(index, kind)) setTimeout(() => pair[1 - index].receive(kind, withoutAddresses(kind, value)));
  });
  let added = 0;
  const original = RTCPeerConnection.prototype.addIceCandidate;
  RTCPeerConnection.prototype.addIceCandidate = function (candidate) {
    added += 1;
    return original.call(this, candidate);
  };
  for (const peer of pair) peer.open();
  const outcome = await shows();
  RTCPeerConnection.prototype.addIceCandidate = original;
  return { outcome, heard: added > 0 };
}

/**
 * Runs in the page: one side opens, then is back as somebody new and waits, while its first offer is still on the way to the
 * other, who opens as well or waits too. Whether each gets moving pictures in the end.
 */
export async function meetAcross({ opener, other }) {
  const late = [];
  let delivers = false;
  const { peer, pair, shows } = await globalThis.peersInPage((index, kind, value) => {
    if (delivers) pair[1 - index].receive(kind, value);
    else late.push([index, kind, value]);
  });
  const offered = async (count) => {
    while (late.filter(([, kind]) => kind === "offer").length < count) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  pair[opener].open();
  await offered(1);
  pair[opener].close();
  pair[opener] = peer(opener);
  if (other === "opens") {
    pair[1 - opener].open();
    await offered(2);
  }
  delivers = true;
  for (const [index, kind, value] of late) pair[1 - index].receive(kind, value);
  return shows();
}

/**
 * Runs in the page: two who are connected, of whom the first shares a screen and then ends that. The pictures that leave it
 * meanwhile and afterwards: `camera` or `screen`. `isForeign`: no signal names its attempt, as with other clients.
 */
export async function shareScreen({ isForeign }) {
  const { pair, shows } = await globalThis.peersInPage((index, kind, { attempt, ...value }) =>
    pair[1 - index].receive(kind, isForeign ? value : { ...value, attempt }),
  );
  pair[0].open();
  while (pair.some(({ state }) => state !== "connected")) await new Promise((resolve) => setTimeout(resolve, 20));
  const [screen] = document.createElement("canvas").captureStream(1).getVideoTracks();
  const { tracks, connection } = pair[0];
  const sent = async (tracks) => {
    await pair[0].replace(tracks);
    const pictures = connection.getSenders().map(({ track }) => track).filter((track) => track?.kind === "video");
    return pictures.map((track) => (track === screen ? "screen" : "camera"));
  };
  const outcome = { meanwhile: await sent({ ...tracks, screen }), afterwards: await sent(tracks), shows: await shows() };
  screen.stop();
  return outcome;
}

/** Runs in the page: two of whom one opens again and again, each time after they were connected. Whether they are in the end. */
export async function meetOften(times) {
  const { pair, shows } = await globalThis.peersInPage((index, kind, value) => pair[1 - index].receive(kind, value));
  const deadline = performance.now() + 60_000;
  for (let met = 0; met < times; met += 1) {
    pair[0].open();
    const { connection } = pair[1];
    while (pair[1].connection === connection || pair.some(({ state }) => state !== "connected")) {
      if (performance.now() > deadline) return `connected ${met} times`;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return shows();
}

/** Runs in the page: a peer whose other side begins fifty attempts; how many connections they cost, and how many answers. */
export async function meetManyAttempts() {
  let answers = 0;
  const tracks = { microphone: null, camera: null, screen: null, screenSound: null };
  const send = (kind) => kind === "answer" && (answers += 1);
  const peer = new globalThis.peers.Peer({ polite: true, configuration: {}, tracks, send, changed() {} });
  const other = new RTCPeerConnection();
  other.addTransceiver("audio");
  const { type, sdp } = await other.createOffer();
  const before = globalThis.connectionsMade;
  for (let attempt = 0; attempt < 50; attempt += 1) peer.receive("offer", { type, sdp, attempt: String(attempt) });
  // Signals are handled in order: once this one is answered by a refusal, all before it are done.
  await new Promise((resolve) => {
    console.warn = resolve;
    peer.receive("offer", { type, sdp: "v=0", attempt: "9" });
  });
  const made = globalThis.connectionsMade - before;
  peer.close();
  other.close();
  return { made, answers };
}

/**
 * Runs in the page: `answers(attempt)` gives a peer, the same one each time, an offer of somebody who cannot be reached, and
 * resolves to whether the peer says so once it has answered.
 */
export function meetNobody() {
  let answered;
  const tracks = { microphone: null, camera: null, screen: null, screenSound: null };
  const send = (kind) => kind === "answer" && answered();
  const peer = new globalThis.peers.Peer({ polite: true, configuration: {}, tracks, send, changed() {} });
  globalThis.unreachable = () => peer.unreachable;
  globalThis.answers = async (attempt) => {
    const other = new RTCPeerConnection({ iceTransportPolicy: "relay" });
    other.addTransceiver("audio");
    const { type, sdp } = await other.createOffer();
    other.close();
    await new Promise((resolve) => {
      answered = resolve;
      peer.receive("offer", { type, sdp, attempt });
    });
    return peer.unreachable;
  };
}

/**
 * Runs in the page: a peer meets another side that describes many lines, then stops them all, while its own tracks
 * change; then a browser that makes no more connections. Tells what came of it, and what nobody caught.
 */
export async function meetStrangers() {
  const [answers, warned, rejected] = [[], [], []];
  addEventListener("unhandledrejection", ({ reason }) => rejected.push(String(reason)));
  console.warn = (text) => warned.push(text.split(":")[0]);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  const tracks = { microphone: stream.getAudioTracks()[0], camera: stream.getVideoTracks()[0], screen: null, screenSound: null };
  const send = (kind, value) => kind === "answer" && answers.push(value);
  const meet = () => new globalThis.peers.Peer({ polite: true, configuration: {}, tracks, send, changed() {} });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
  const answered = async (count) => {
    for (const deadline = Date.now() + 10_000; answers.length < count && Date.now() < deadline; ) await turn();
  };

  const [peer, other] = [meet(), new RTCPeerConnection()];
  const offer = async () => {
    await other.setLocalDescription();
    peer.receive("offer", other.localDescription.toJSON());
  };
  for (const kind of ["video", "audio", "video", "video"]) other.addTransceiver(kind);
  peer.receive("ice-candidate", { candidate: "candidate:x", sdpMid: "0" });
  await offer();
  await answered(1);
  if (answers.length === 1) await other.setRemoteDescription(answers[0]);
  for (const line of other.getTransceivers()) line.stop();
  await offer();
  await answered(2);
  for (const camera of [null, tracks.camera, null]) peer.replace({ ...tracks, camera });
  await turn();
  peer.close();
  other.close();

  const before = globalThis.connectionsMade;
  for (let waiting = 0; waiting < 100; waiting += 1) meet().close();
  const made = globalThis.connectionsMade - before;
  globalThis.RTCPeerConnection = class {
    constructor() {
      throw new DOMException("Cannot create so many PeerConnections", "UnknownError");
    }
  };
  const [newcomer, waiting] = [meet(), meet()];
  newcomer.open();
  for (const type of ["offer", "answer"]) waiting.receive(type, { type, sdp: "v=0" });
  for (const peer of [newcomer, waiting]) {
    await peer.replace(tracks);
    peer.configure({ iceServers: [] });
  }
  await turn();
  for (const track of stream.getTracks()) track.stop();
  return { answered: answers.length, sentOn: (answers[0]?.sdp.match(/a=sendrecv/g) ?? []).length, made, warned, rejected };
}

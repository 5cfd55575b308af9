// This side's microphone, camera and screen, and the speaker that the others are heard from. Any of them may be
// missing. The chosen devices are kept for this browser, mute and camera off only for this tab: a reload does not
// unmute, and a muted tab does not mute the next one.

import { store, stored } from "../stored.js";

const CHOSEN = "zetra.devices";
const OFF = "zetra.off";
/** The errors after which the default is opened instead of a chosen device: it is unplugged, or another program uses it. */
const UNAVAILABLE = ["OverconstrainedError", "NotReadableError"];
/** Stands for the name of the error where not the browser but the system refuses: browsers say so in the message only. */
export const BLOCKED_BY_SYSTEM = "blocked by system";

export class LocalMedia extends EventTarget {
  #tracks = { microphone: undefined, camera: undefined, screen: undefined, screenSound: undefined };
  /** The ids of the chosen microphone, camera and speaker. One that is unplugged stays chosen: it may come back. */
  #chosen = stored("localStorage", CHOSEN) ?? {};
  /** `muted` and `cameraOff` */
  #off = stored("sessionStorage", OFF) ?? {};
  /** By device: the number of the latest request for it. Only that one's outcome counts. */
  #requests = { microphone: 0, camera: 0 };
  /** By device that is being opened: the id that is asked for, or undefined for the default.
   * @type {Map<string, string | undefined>} */
  #opening = new Map();
  #isStarted = false;
  /** Whether the browser asks which screen to share. */
  #isPicking = false;
  /** The ids of the speakers that were there when the devices were last listed. */
  #speakers = [];
  /** By device: `{name, deviceId}`, the name of the error with which it was refused, and the id that was asked for, if any. */
  problems = {};

  /** Requests the microphone and the camera separately, so that either works without the other. */
  async start() {
    this.#isStarted = true;
    navigator.mediaDevices?.addEventListener("devicechange", this.#devicesChanged);
    if (!this.#tracks.microphone) await this.open("microphone");
    if (this.#isStarted && !this.#tracks.camera && !this.#off.cameraOff) await this.open("camera");
  }

  /**
   * Opens a device: the one that was just chosen, by default the one of the last visit, or else the system's. What is in use
   * goes on until then, and stays in use if this one is refused. Resolves to whether this one was opened.
   */
  async open(device, choice) {
    const deviceId = choice ?? this.#chosen[device];
    const own = (this.#requests[device] += 1);
    const isCurrent = () => own === this.#requests[device];
    const ask = async (id) => {
      const { track, problem } = await request(device, id);
      if (isCurrent()) return { track, problem };
      // Chosen anew or stopped meanwhile, perhaps while the browser asked for permission.
      track?.stop();
      return {};
    };
    this.#opening.set(device, deviceId);
    this.#tell();
    const inUse = this.#tracks[device];
    const before = inUse?.getSettings().deviceId;
    let { track, problem } = await ask(deviceId);
    if (problem === "NotReadableError" && inUse) {
      // Many phones open one camera at a time.
      this.#set(device, undefined);
      ({ track, problem } = await ask(deviceId));
    }
    const isOpened = Boolean(track);
    if (problem && inUse && !this.#tracks[device]) ({ track } = await ask(before));
    else if (deviceId && !inUse && UNAVAILABLE.includes(problem)) {
      const refused = problem;
      ({ track, problem } = await ask(null));
      // What somebody has just chosen is not replaced without a word.
      if (choice) problem ??= refused;
    }
    if (!isCurrent()) return false;
    this.#opening.delete(device);
    if (problem) this.problems[device] = { name: problem, deviceId };
    else delete this.problems[device];
    if (track || !this.#tracks[device]) this.#set(device, track);
    else this.#tell();
    return isOpened;
  }

  /** `device`: `microphone`, `camera` or `speaker`. It is kept for the next visit unless it cannot be opened. */
  async choose(device, deviceId) {
    const isClosed = device === "speaker" || (device === "camera" && this.#off.cameraOff);
    if (!isClosed && !(await this.open(device, deviceId))) return;
    this.#keep({ [device]: deviceId });
    this.#tell();
  }

  /** Tries again what was refused. */
  async retry() {
    const { screen, ...devices } = this.problems;
    if (screen) this.toggleScreen();
    for (const [device, { deviceId }] of Object.entries(devices)) {
      if (this.#isStarted) await (deviceId ? this.choose(device, deviceId) : this.open(device));
    }
  }

  /** For `setSinkId`: the id of the chosen speaker if it is there, otherwise an empty string, the default. */
  get speaker() {
    const { speaker } = this.#chosen;
    return this.#speakers.includes(speaker) ? speaker : "";
  }

  async toggleMicrophone() {
    if (!this.#tracks.microphone) {
      this.#turnOff({ muted: false });
      return this.open("microphone");
    }
    this.#turnOff({ muted: !this.#off.muted });
    this.#tracks.microphone.enabled = !this.#off.muted;
    this.#tell();
  }

  /** Switching off stops the track, so that the camera's light goes off too. */
  async toggleCamera() {
    const cameraOff = Boolean(this.#tracks.camera);
    this.#turnOff({ cameraOff });
    if (!cameraOff) return this.open("camera");
    this.#forget("camera");
    delete this.problems.camera;
    this.#set("camera", undefined);
  }

  /** Shows the screen, with the sound of a tab where the browser offers it, or ends that. */
  async toggleScreen() {
    if (this.#tracks.screen) return this.#set("screen", undefined);
    if (this.#isPicking) return;
    this.#isPicking = true;
    delete this.problems.screen;
    try {
      // The system's sound would bring the others their own voices.
      const wanted = { video: { frameRate: { max: 15 } }, audio: true, systemAudio: "exclude" };
      const stream = await navigator.mediaDevices.getDisplayMedia(wanted);
      if (!this.#isStarted) return stream.getTracks().forEach((track) => track.stop());
      const [picture] = stream.getVideoTracks();
      // Text stays legible: frames are dropped before pixels are.
      picture.contentHint = "detail";
      this.#set("screenSound", stream.getAudioTracks()[0]);
      this.#set("screen", picture);
    } catch (error) {
      const name = problemOf(error);
      // Dismissing the browser's picker is not an error, and after the call it does not matter.
      if (this.#isStarted && name !== "NotAllowedError") this.problems.screen = { name };
      this.#tell();
    } finally {
      this.#isPicking = false;
    }
  }

  /** The tracks to send, each null where there is none: `{microphone, camera, screen, screenSound}`. */
  get tracks() {
    return Object.fromEntries(Object.entries(this.#tracks).map(([device, track]) => [device, track ?? null]));
  }

  /** The media state sent to the others. */
  get state() {
    const { microphone, camera, screen } = this.#tracks;
    return { audio: Boolean(microphone) && !this.#off.muted, video: Boolean(camera), screen: Boolean(screen) };
  }

  /** Whether the browser is opening a device, or asking for permission to. */
  isOpening(device) {
    return this.#opening.has(device);
  }

  /** The devices that can be chosen; no speakers where the browser cannot choose one. */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const of = (kind) => all.filter((device) => device.kind === kind && device.deviceId);
    const speaker = "setSinkId" in HTMLMediaElement.prototype ? of("audiooutput") : [];
    this.#speakers = speaker.map(({ deviceId }) => deviceId);
    return { microphone: of("audioinput"), camera: of("videoinput"), speaker };
  }

  /** The id of the device that is being opened, or else of the one in use, or else of the chosen one. */
  current(device) {
    if (device === "speaker") return this.speaker;
    const inUse = this.#tracks[device]?.getSettings().deviceId;
    return this.#opening.get(device) ?? inUse ?? this.#chosen[device];
  }

  /** Stops everything. A device that is still being opened is stopped when it opens. */
  stop() {
    this.#isStarted = false;
    navigator.mediaDevices?.removeEventListener("devicechange", this.#devicesChanged);
    for (const device of Object.keys(this.#requests)) this.#forget(device);
    this.problems = {};
    for (const device of Object.keys(this.#tracks)) this.#set(device, undefined);
  }

  /** Makes a request that is under way count no more. */
  #forget(device) {
    this.#requests[device] += 1;
    this.#opening.delete(device);
  }

  /** Something was plugged in or unplugged. Opens a device that was missing until now. */
  #devicesChanged = async () => {
    const devices = await this.devices();
    if (!this.#isStarted) return;
    const missing = Object.keys(this.#requests).filter((device) => this.problems[device]?.name === "NotFoundError" && devices[device].length > 0);
    await Promise.all(missing.map((device) => this.open(device)));
    this.#tell();
  };

  /** A track has ended by itself: its device was unplugged, or the user has taken the permission back. */
  async #ended(device) {
    this.#set(device, undefined);
    if (!(device in this.#requests)) return;
    const requests = this.#requests[device];
    // Some browsers cannot be asked about these permissions.
    const state = await navigator.permissions?.query({ name: device }).then((permission) => permission.state, () => undefined);
    if (requests !== this.#requests[device]) return;
    // To ask again right after the user has said no would be rude.
    if (state === "denied" || state === "prompt") {
      this.problems[device] = { name: "NotAllowedError" };
      this.#tell();
    } else await this.open(device);
  }

  #set(device, track) {
    const before = this.#tracks[device];
    if (before) {
      before.onended = null;
      before.stop();
    }
    this.#tracks[device] = track;
    if (device === "screen" && !track) this.#set("screenSound", undefined);
    if (track) {
      if (device === "microphone") track.enabled = !this.#off.muted;
      track.onended = () => this.#ended(device);
    }
    this.#tell();
  }

  #keep(choice) {
    Object.assign(this.#chosen, choice);
    store("localStorage", CHOSEN, this.#chosen);
  }

  #turnOff(change) {
    Object.assign(this.#off, change);
    store("sessionStorage", OFF, this.#off);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Asks the browser for a device, the default if no id is given: `{track}`, or `{problem}` if it is refused. */
async function request(device, deviceId) {
  const kind = device === "camera" ? "video" : "audio";
  const wanted = { deviceId: deviceId ? { exact: deviceId } : undefined };
  if (kind === "video") Object.assign(wanted, { width: { ideal: 1280 }, height: { ideal: 720 } });
  try {
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    const [track] = (await navigator.mediaDevices.getUserMedia({ [kind]: wanted })).getTracks();
    return { track };
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

const problemOf = ({ name, message }) => (name === "NotAllowedError" && message.includes("by system") ? BLOCKED_BY_SYSTEM : name);

// This side's microphone, camera and screen. Any of them may be missing. Mute, camera off and the chosen devices are
// kept in sessionStorage, so a reload does not unmute.

import { stored } from "../stored.js";

const KEY = "zetra.devices";

export class LocalMedia extends EventTarget {
  #tracks = { microphone: undefined, camera: undefined, screen: undefined, screenSound: undefined };
  /** `muted`, `cameraOff`, and the id of the chosen microphone and camera. */
  #wanted = stored(sessionStorage, KEY) ?? {};
  /** By device: the name of the error that makes it unavailable. */
  problems = {};

  /** Requests the microphone and the camera separately, so that either works without the other. */
  async start() {
    if (!this.#tracks.microphone) await this.open("microphone");
    if (!this.#tracks.camera && !this.#wanted.cameraOff) await this.open("camera");
  }

  /** Opens a device, or reopens it after another one was chosen. */
  async open(device) {
    const kind = device === "camera" ? "video" : "audio";
    const deviceId = this.#wanted[device];
    const wanted = { deviceId: deviceId ? { exact: deviceId } : undefined };
    if (kind === "video") Object.assign(wanted, { width: { ideal: 1280 }, height: { ideal: 720 } });
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
      delete this.problems[device];
      this.#set(device, stream.getTracks()[0]);
    } catch (error) {
      // The chosen device is no longer plugged in: use the default.
      if (deviceId && error.name === "OverconstrainedError") return this.choose(device, undefined);
      this.problems[device] = error.name;
      this.#set(device, undefined);
    }
  }

  async choose(device, deviceId) {
    this.#want({ [device]: deviceId });
    await this.open(device);
  }

  async toggleMicrophone() {
    if (!this.#tracks.microphone) {
      this.#want({ muted: false });
      return this.open("microphone");
    }
    this.#want({ muted: !this.#wanted.muted });
    this.#tracks.microphone.enabled = !this.#wanted.muted;
    this.#tell();
  }

  /** Switching off stops the track, so that the camera's light goes off too. */
  async toggleCamera() {
    const cameraOff = Boolean(this.#tracks.camera);
    this.#want({ cameraOff });
    if (cameraOff) this.#set("camera", undefined);
    else await this.open("camera");
  }

  /** Shows the screen, with the sound of a tab where the browser offers it, or ends that. */
  async toggleScreen() {
    if (this.#tracks.screen) return this.#set("screen", undefined);
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
      delete this.problems.screen;
      const [picture] = stream.getVideoTracks();
      // Text stays legible: frames are dropped before pixels are.
      picture.contentHint = "detail";
      this.#set("screenSound", stream.getAudioTracks()[0]);
      this.#set("screen", picture);
    } catch (error) {
      // Dismissing the browser's picker is not an error.
      if (error.name !== "NotAllowedError") this.problems.screen = error.name;
      this.#tell();
    }
  }

  /** The tracks to send, each null where there is none: `{microphone, camera, screen, screenSound}`. */
  get tracks() {
    return Object.fromEntries(Object.entries(this.#tracks).map(([device, track]) => [device, track ?? null]));
  }

  /** The media state sent to the others. */
  get state() {
    const { microphone, camera, screen } = this.#tracks;
    return { audio: Boolean(microphone) && !this.#wanted.muted, video: Boolean(camera), screen: Boolean(screen) };
  }

  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const of = (kind) => all.filter((device) => device.kind === kind && device.deviceId);
    return { microphone: of("audioinput"), camera: of("videoinput") };
  }

  /** The id of the device in use, or of the chosen one while it is being opened. */
  current(device) {
    return this.#tracks[device]?.getSettings().deviceId ?? this.#wanted[device];
  }

  stop() {
    for (const device of Object.keys(this.#tracks)) this.#set(device, undefined);
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
      if (device === "microphone") track.enabled = !this.#wanted.muted;
      // Unplugged, or stopped with the browser's own button.
      track.onended = () => this.#set(device, undefined);
    }
    this.#tell();
  }

  #want(change) {
    Object.assign(this.#wanted, change);
    sessionStorage.setItem(KEY, JSON.stringify(this.#wanted));
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

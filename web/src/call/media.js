// This side's microphone, camera and screen. Any of them may be missing.

/** An error message for a refused or missing device. */
export function explain(error, device) {
  switch (error.name) {
    case "NotAllowedError":
      return `This page is not allowed to use your ${device}. Allow it with the icon in the address bar, then try again.`;
    case "SecurityError":
      return `Browsers allow the ${device} only on https:// pages and on localhost.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${device} was found.`;
    case "NotReadableError":
      return `Your ${device} cannot be used: another program is using it.`;
    default:
      return `Your ${device} cannot be used (${error.name}).`;
  }
}

export class LocalMedia extends EventTarget {
  #tracks = { microphone: undefined, camera: undefined, screen: undefined };
  #muted = false;
  /** By device: why it is not available. */
  problems = {};
  chosen = { microphone: undefined, camera: undefined };

  /** Requests the microphone and the camera separately, so that either works without the other. */
  async start() {
    await this.open("microphone");
    await this.open("camera");
  }

  /** Opens a device, or reopens it after another one was chosen. */
  async open(device) {
    const kind = device === "camera" ? "video" : "audio";
    const wanted = { deviceId: this.chosen[device] ? { exact: this.chosen[device] } : undefined };
    if (kind === "video") Object.assign(wanted, { width: { ideal: 1280 }, height: { ideal: 720 } });
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wanted });
      this.#set(device, stream.getTracks()[0]);
      delete this.problems[device];
    } catch (error) {
      this.problems[device] = explain(error, device);
      this.#set(device, undefined);
    }
  }

  async toggleMicrophone() {
    if (!this.#tracks.microphone) return this.open("microphone");
    this.#muted = !this.#muted;
    this.#tracks.microphone.enabled = !this.#muted;
    this.#tell();
  }

  /** Switching off stops the track, so that the camera's light goes off too. */
  async toggleCamera() {
    if (this.#tracks.camera) this.#set("camera", undefined);
    else await this.open("camera");
  }

  /** Shows the screen instead of the camera, or the camera again. */
  async toggleScreen() {
    if (this.#tracks.screen) return this.#set("screen", undefined);
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
      this.#set("screen", stream.getVideoTracks()[0]);
      delete this.problems.screen;
    } catch (error) {
      // Dismissing the browser's picker is not an error.
      if (error.name !== "NotAllowedError") this.problems.screen = explain(error, "screen");
      this.#tell();
    }
  }

  /** The tracks to send. */
  get tracks() {
    return { audio: this.#tracks.microphone ?? null, video: this.#tracks.screen ?? this.#tracks.camera ?? null };
  }

  /** The media state sent to the others. */
  get state() {
    return { audio: Boolean(this.#tracks.microphone) && !this.#muted, video: Boolean(this.tracks.video), screen: Boolean(this.#tracks.screen) };
  }

  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const of = (kind) => all.filter((device) => device.kind === kind && device.deviceId);
    return { microphone: of("audioinput"), camera: of("videoinput") };
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
    if (track) {
      if (device === "microphone") track.enabled = !this.#muted;
      // Unplugged, or stopped with the browser's own button.
      track.onended = () => this.#set(device, undefined);
    }
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

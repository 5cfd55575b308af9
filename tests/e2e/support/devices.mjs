// Devices that are plugged in and unplugged under a page, and what it has opened.

/**
 * Put into a page before its own scripts. `unplug(label)` and `plugIn(label)` do that to a device; `unplug()` to all
 * microphones and cameras. `requests` are the constraints asked for, `tracks` the tracks given, `sounds` the contexts
 * of sound made. While `isAsking` is true, nobody answers the question for permission, until `answer()`.
 */
export const WATCH_DEVICES = () => {
  const devices = navigator.mediaDevices;
  const [list, open] = [devices.enumerateDevices.bind(devices), devices.getUserMedia.bind(devices)];
  const unplugged = new Set();
  const waiting = [];
  const isThere = ({ label, kind }) => !unplugged.has(label) && !(unplugged.has(undefined) && kind !== "audiooutput");
  Object.assign(globalThis, { requests: [], tracks: [], sounds: [], isAsking: false });
  devices.enumerateDevices = async () => (await list()).filter(isThere);
  devices.getUserMedia = async (wanted) => {
    globalThis.requests.push(wanted);
    if (globalThis.isAsking) await new Promise((resolve) => waiting.push(resolve));
    const there = (await devices.enumerateDevices()).filter(({ kind }) => kind === (wanted.audio ? "audioinput" : "videoinput"));
    if (there.length === 0) throw new DOMException("", "NotFoundError");
    const { exact } = (wanted.audio ?? wanted.video).deviceId ?? {};
    if (exact && !there.some(({ deviceId }) => deviceId === exact)) throw new DOMException("", "OverconstrainedError");
    const stream = await open(wanted);
    globalThis.tracks.push(...stream.getTracks());
    return stream;
  };
  globalThis.answer = () => {
    globalThis.isAsking = false;
    for (const resolve of waiting.splice(0)) resolve();
  };
  const changed = () => devices.dispatchEvent(new Event("devicechange"));
  globalThis.unplug = async (label) => {
    const ids = (await list()).filter((device) => label === undefined || device.label === label).map(({ deviceId }) => deviceId);
    unplugged.add(label);
    for (const track of globalThis.tracks.filter((track) => track.readyState === "live" && ids.includes(track.getSettings().deviceId))) {
      track.stop();
      // Stopping one's own track tells nothing; an unplugged device does.
      track.dispatchEvent(new Event("ended"));
    }
    changed();
  };
  globalThis.plugIn = (label) => {
    unplugged.delete(label);
    changed();
  };
  const Original = globalThis.AudioContext;
  globalThis.AudioContext = class extends Original {
    constructor(...parameters) {
      super(...parameters);
      globalThis.sounds.push(this);
    }
  };
};

/**
 * Put into a page after that: a device whose label is a key of `sessionStorage` is refused with the error of the name there;
 * "default" stands for the one that is given if none is named.
 */
export const REFUSE_DEVICES = () => {
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const { exact } = (wanted.audio ?? wanted.video).deviceId ?? {};
    const device = (await devices.enumerateDevices()).find(({ deviceId }) => deviceId === exact);
    const name = sessionStorage.getItem(device?.label ?? "default");
    if (name) throw new DOMException("", name);
    return open(wanted);
  };
};

// The stage of a call: everybody's picture, placed by `layout.js`. One picture at a time can have the stage to itself: the one
// the user has pinned, otherwise a screen that somebody else shares.

import { focusHeading, h } from "../dom.js";
import { arrange } from "../call/layout.js";
import { tile } from "./tile.js";

/** The loudness from which somebody is said to speak, and how long that lasts, in milliseconds. */
const SPEAKS = 0.01;
const LASTS = 600;
const LISTEN = 150;

/** `changed()` is called when `heldBack` may have changed. */
export function stage(call, media, changed) {
  const element = h("div", { class: "grid" });
  const tiles = new Map();
  /** When somebody was last heard, by user id. */
  const heard = new Map();
  let pinned;
  let isLeft = false;

  const pin = (key) => {
    pinned = pinned === key ? undefined : key;
    update();
  };

  /** What is to be seen, by key, one's own picture last. */
  const wanted = () => {
    const pictures = new Map();
    for (const { id, media: theirs, peer } of call.people.values()) {
      const name = call.names.of(id);
      const hasScreen = theirs.screen && peer.screen.getVideoTracks().length > 0;
      // A client without a line for the screen sends it instead of the camera.
      const picture = theirs.video || (theirs.screen && !hasScreen);
      const state = peer.unreachable ? "unreachable" : peer.state;
      pictures.set(id, { name, picture, audio: theirs.audio, stream: peer.stream, state, quality: peer.quality });
      if (hasScreen) pictures.set(`${id} screen`, { name, picture: true, stream: peer.screen, screen: true });
    }
    const { camera, screen } = media.tracks;
    if (screen) pictures.set("own screen", { name: "You", picture: true, stream: new MediaStream([screen]), screen: true, own: true });
    pictures.set("own", { name: "You", picture: Boolean(camera), audio: media.state.audio, stream: camera && new MediaStream([camera]), own: true });
    return pictures;
  };

  const update = () => {
    const pictures = wanted();
    for (const [key, shown] of tiles) {
      if (pictures.has(key)) continue;
      const hadFocus = shown.element.contains(document.activeElement);
      shown.element.remove();
      tiles.delete(key);
      if (hadFocus) focusHeading(element.closest("section"));
    }
    for (const [key, { own, screen, ...picture }] of pictures) {
      if (!tiles.has(key)) {
        tiles.set(key, tile({ own, screen, pin: () => pin(key), turned: () => update(), held: () => isLeft || changed() }));
        element.append(tiles.get(key).element);
      }
      tiles.get(key).show({ ...picture, pinned: key === pinned });
      tiles.get(key).speaker = media.speaker;
    }
    // Who is pinned may be away for a moment, and stays pinned.
    place([...pictures.keys()], pictures.has(pinned) ? pinned : [...pictures.keys()].findLast((key) => key.endsWith(" screen") && key !== "own screen"));
  };

  let scene = "";
  const place = (keys, spotlit) => {
    // Pictures glide when people come and go, but follow the window at once.
    const next = [spotlit, ...keys].join();
    element.classList.toggle("still", next === scene);
    scene = next;
    const rest = keys.filter((key) => key !== spotlit);
    const area = { x: 0, y: 0, width: element.clientWidth, height: element.clientHeight };
    const upright = rest.filter((key) => tiles.get(key).upright).length > rest.length / 2;
    const { spotlight, places, floats } = arrange({ others: rest.length - 1, area, spotlight: spotlit !== undefined, upright });
    keys.forEach((key) => {
      const shown = tiles.get(key);
      const { x, y, width, height } = key === spotlit ? spotlight : places[rest.indexOf(key)];
      Object.assign(shown.element.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
      shown.element.classList.toggle("spotlit", key === spotlit);
      shown.element.classList.toggle("floating", floats && key === "own");
      shown.element.classList.toggle("small", width < 180);
      shown.fit({ width, height });
    });
  };

  const listen = () => {
    const now = performance.now();
    for (const { id, media: theirs, peer } of call.people.values()) {
      if (theirs.audio && peer.loudness > SPEAKS) heard.set(id, now);
      const shown = tiles.get(id);
      if (shown) shown.speaking = theirs.audio && now - (heard.get(id) ?? -Infinity) < LASTS;
    }
  };
  const listening = setInterval(() => document.hidden || listen(), LISTEN);
  const resized = new ResizeObserver(update);
  resized.observe(element);
  return {
    element,
    update,
    /** Whether the browser plays something only once the user has clicked, and `play` is called. */
    get heldBack() {
      return [...tiles.values()].some((shown) => shown.heldBack);
    },
    play() {
      for (const shown of tiles.values()) if (shown.heldBack) shown.play();
    },
    leave() {
      isLeft = true;
      clearInterval(listening);
      resized.disconnect();
    },
  };
}

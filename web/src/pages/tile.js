// One picture: somebody's camera or screen, or an initial instead; their name, and the state of the connection to them.

import { h, icon } from "../dom.js";
import { STATES } from "../call/words.js";
import { mirror } from "./media_controls.js";

/**
 * `own`: the picture is one's own. `screen`: it is a shared screen. `pin()` is called to put this picture on the stage, or to
 * take it off again, `turned()` when the picture has another size, `held()` when the browser begins or ceases to hold it back.
 */
export function tile({ own = false, screen = false, pin, turned, held }) {
  const video = h("video", { autoplay: true, playsInline: true, muted: own });
  const initial = h("span", { class: "initial", "aria-hidden": "true" });
  const label = h("bdi", { class: "name" });
  const muted = h("span", { class: "muted", title: "Muted" }, icon("microphone", true), h("span", { class: "visually-hidden" }, "muted"));
  const bars = h("span", { class: "bars", role: "img" }, [1, 2, 3].map(() => h("i")));
  const status = h("span", { class: "state" });
  const pinning = tool("pin", () => pin());
  const filling = tool("fullscreen", () => (document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen()));
  const floating = tool("popout", () => (document.pictureInPictureElement === video ? document.exitPictureInPicture() : video.requestPictureInPicture()));
  const tools = h("div", { class: "tools" }, pinning, filling, floating);
  const element = h("figure", { class: screen ? "tile screen" : "tile" }, video, initial, status, h("figcaption", {}, label, muted, bars), tools);
  // For a mouse or a finger: the button does the same for everybody.
  element.addEventListener("click", ({ target }) => tools.contains(target) || pin());

  const isUpright = () => video.videoWidth < video.videoHeight;
  /** A picture that is higher than wide is shown whole in a place that is wider than high. */
  const fit = ({ width, height }) => {
    element.classList.toggle("whole", isUpright() && width > height);
    element.classList.toggle("blank", !video.videoWidth);
  };
  video.addEventListener("resize", turned);
  let isHeldBack = false;
  /** Some browsers play what sounds only once the user has clicked, unless the page has a camera or microphone. */
  const play = async () => {
    const failure = await video.play().catch(({ name }) => name);
    // `AbortError`: another stream has come meanwhile, or it was paused because it has sound now. It is tried again.
    if (failure === "AbortError" || isHeldBack === (failure === "NotAllowedError")) return;
    isHeldBack = !isHeldBack;
    held();
  };
  const named = (button, words) => {
    button.title = words;
    button.setAttribute("aria-label", words);
  };
  return {
    element,
    fit,
    get upright() {
      return isUpright();
    },
    /** Whether the browser does not play it before the user has clicked. */
    get heldBack() {
      return isHeldBack;
    },
    play,
    /** `picture`: whether one is expected. `state`: a key of `STATES`. `quality`: `{bars, words}`, if it was measured. */
    show({ name, picture, audio = true, stream, state = "connected", quality, pinned }) {
      const whose = screen ? `${name} (screen)` : name;
      label.textContent = whose;
      video.setAttribute("aria-label", screen ? `Screen of ${name}` : `Video of ${name}`);
      // A name from an older database may be any string.
      const [first = "?"] = name.trim();
      initial.textContent = first.toUpperCase();
      muted.hidden = audio;
      // The own stream is made anew each time: with the same track the video would flicker.
      const isShown = own ? video.srcObject?.getVideoTracks()[0] === stream?.getVideoTracks()[0] : video.srcObject === stream;
      if (!isShown) video.srcObject = stream ?? null;
      if (own && !screen && stream) mirror(video, stream.getVideoTracks()[0]);
      if (stream && video.paused && !isHeldBack) play();
      element.classList.toggle("dark", !picture);
      element.classList.toggle("pinned", pinned);
      element.dataset.state = state;
      status.textContent = STATES[state] ?? "";
      bars.hidden = !quality || state !== "connected";
      if (quality) {
        bars.dataset.bars = String(quality.bars);
        named(bars, quality.words);
      }
      named(pinning, pinned ? `Unpin ${whose}` : `Pin ${whose}`);
      named(filling, `Full screen: ${whose}`);
      named(floating, `Picture in picture: ${whose}`);
      const hadFocus = tools.contains(document.activeElement);
      filling.hidden = !picture || !document.fullscreenEnabled;
      floating.hidden = !picture || !document.pictureInPictureEnabled;
      if (hadFocus && !tools.contains(document.activeElement)) pinning.focus();
    },
    /** Whether they speak right now. */
    set speaking(speaks) {
      element.classList.toggle("speaking", speaks);
    },
    /** Plays the sound on the speaker of that id, or the default one if it is empty, where the browser lets one choose. */
    set speaker(id) {
      if (own || !video.setSinkId || video.sinkId === id) return;
      // A speaker that is unplugged: the sound stays where it was.
      video.setSinkId(id).catch(() => {});
    },
  };
}

const tool = (name, onclick) => h("button", { class: "tool", onclick: () => Promise.resolve(onclick()).catch(() => {}) }, icon(name));

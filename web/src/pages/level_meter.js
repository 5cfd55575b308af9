// How loud the microphone is, as a bar.

import { h } from "../dom.js";

/** The loudness in decibels at which the bar is empty; at 0 it is full. */
const SILENCE = -60;
/** The value is told in steps of this many percent, so that it does not change with every picture. */
const STEP = 5;

/** A browser may keep the sound of a page suspended until one of these. */
const GESTURES = ["pointerdown", "keydown"];

/** `{element, update(), leave()}`: call `update` when the microphone may have changed; `leave` stops it, until the next `update`. */
export function levelMeter(media) {
  const bar = h("div", { class: "level" });
  const element = h("div", { class: "meter", role: "meter", "aria-label": "Microphone level", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 }, bar);
  let track, context, analyser, frame;

  const open = () => {
    context = new AudioContext();
    analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    for (const event of GESTURES) addEventListener(event, resume);
    measure();
  };
  const tryToOpen = () => {
    try {
      open();
    } catch {
      // Some browsers cannot read a microphone with a sample rate other than the page's. A call can, so only the bar goes.
      close();
    }
  };
  const close = () => {
    cancelAnimationFrame(frame);
    for (const event of GESTURES) removeEventListener(event, resume);
    context?.close();
    context = undefined;
    show(0);
  };
  const show = (percent) => {
    bar.style.width = `${percent}%`;
    element.setAttribute("aria-valuenow", String(Math.round(percent / STEP) * STEP));
  };
  const measure = () => {
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const decibels = 10 * Math.log10(power + Number.EPSILON);
    show(100 * Math.min(Math.max(1 - decibels / SILENCE, 0), 1));
    frame = requestAnimationFrame(measure);
  };
  const resume = () => context.resume();

  return {
    element,
    update() {
      const { microphone } = media.tracks;
      if (microphone !== track) {
        close();
        track = microphone;
        if (track) tryToOpen();
      }
      element.hidden = !context;
    },
    leave() {
      track = undefined;
      close();
    },
  };
}

// A soft sound when somebody comes or goes: two notes, upwards or downwards.

import { preferences } from "./preferences.js";

/** By the call's events, in hertz. */
const NOTES = { joined: [523, 659], gone: [659, 523] };
const LOUDNESS = 0.05;
/** Seconds from one note to the next, and that a note lasts. */
const APART = 0.12;
const LASTS = 0.25;

let context;
let isPlaying = false;

/** Does nothing while another one is being played, or the browser allows no sound. */
export async function chime(what) {
  if (!preferences.get("sounds") || !globalThis.AudioContext || isPlaying) return;
  isPlaying = true;
  try {
    context ??= new AudioContext();
    await context.resume();
  } catch {
    // Too many of them, or another program has the output.
    isPlaying = false;
    return;
  }
  NOTES[what].forEach((frequency, index) => {
    const begins = context.currentTime + index * APART;
    const [note, volume] = [new OscillatorNode(context, { frequency }), new GainNode(context, { gain: 0 })];
    volume.gain.setValueAtTime(LOUDNESS, begins);
    volume.gain.exponentialRampToValueAtTime(0.0001, begins + LASTS);
    note.connect(volume).connect(context.destination);
    note.start(begins);
    note.stop(begins + LASTS);
    // An audio output that is kept open costs power.
    if (index === NOTES[what].length - 1) note.onended = () => context.suspend().then(() => (isPlaying = false));
  });
}

// @ts-check
// How much is sent to each person: everybody sends to everybody, so a picture costs its size times the number of people,
// and in a full room it is shown small.

/** By the largest number of others: lines, frames a second and bits a second for the camera's picture. */
const CAMERA = [
  { others: 1, lines: 720, frameRate: 30, bitrate: 1_800_000 },
  { others: 3, lines: 480, frameRate: 30, bitrate: 800_000 },
  { others: 6, lines: 360, frameRate: 24, bitrate: 450_000 },
  { others: 12, lines: 240, frameRate: 20, bitrate: 220_000 },
  { others: Infinity, lines: 180, frameRate: 15, bitrate: 120_000 },
];
/** A screen must stay legible, so it loses frames before it loses pixels. */
const SCREEN = { frameRate: 15, bitrate: 2_500_000 };

/**
 * The encoding of one's camera picture, to be merged into `RTCRtpSendParameters.encodings`.
 * @param {number} others
 * @param {number} [lines] of the camera's own picture: its shorter side in pixels, if it is known
 */
export function cameraEncoding(others, lines) {
  const limit = CAMERA.find((row) => others <= row.others) ?? CAMERA[CAMERA.length - 1];
  return { maxBitrate: limit.bitrate, maxFramerate: limit.frameRate, scaleResolutionDownBy: Math.max(1, (lines || 0) / limit.lines) };
}

/** The same for a shared screen. */
export const screenEncoding = () => ({ maxBitrate: SCREEN.bitrate, maxFramerate: SCREEN.frameRate, scaleResolutionDownBy: 1 });

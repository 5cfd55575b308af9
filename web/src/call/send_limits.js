// @ts-check
// How much is sent to each person: everybody sends to everybody, so a picture costs its size times the number of people,
// and in a full room it is shown small.

/** By the largest number of others: pixels of height, frames a second and bits a second for the camera's picture. */
const CAMERA = [
  { others: 1, height: 720, frameRate: 30, bitrate: 1_800_000 },
  { others: 3, height: 480, frameRate: 30, bitrate: 800_000 },
  { others: 6, height: 360, frameRate: 24, bitrate: 450_000 },
  { others: 12, height: 240, frameRate: 20, bitrate: 220_000 },
  { others: Infinity, height: 180, frameRate: 15, bitrate: 120_000 },
];
/** A screen must stay legible, so it loses frames before it loses pixels. */
const SCREEN = { frameRate: 15, bitrate: 2_500_000 };

/**
 * The encoding of one's camera picture, to be merged into `RTCRtpSendParameters.encodings`.
 * @param {number} others
 * @param {number} [height] the height of the camera's own picture, in pixels
 */
export function cameraEncoding(others, height) {
  const limit = CAMERA.find((row) => others <= row.others) ?? CAMERA[CAMERA.length - 1];
  return { maxBitrate: limit.bitrate, maxFramerate: limit.frameRate, scaleResolutionDownBy: Math.max(1, (height ?? 0) / limit.height) };
}

/** The same for a shared screen. */
export const screenEncoding = () => ({ maxBitrate: SCREEN.bitrate, maxFramerate: SCREEN.frameRate, scaleResolutionDownBy: 1 });

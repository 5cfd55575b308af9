// @ts-check
// Where the pictures of a call stand: rectangles in pixels, computed from the size of the stage and the number of
// people. Nothing here knows the page.

/** @typedef {{ x: number, y: number, width: number, height: number }} Rectangle */

/** Width by height of a picture, and on phones that are held upright. */
const RATIO = 16 / 9;
const UPRIGHT_RATIO = 3 / 4;
const GAP = 8;
/** The own picture that floats in a corner, as a share of the stage's width. */
const FLOATING = 0.28;
const SMALLEST_FLOATING = 96;
const LARGEST_FLOATING = 280;
/** The share of the stage that the strip beside a spotlight takes. */
const STRIP = 0.2;

/**
 * Arranges `others` people and one's own picture, which is the last of the `places`.
 *
 * With a spotlight one more picture takes the stage, and these become a strip beside or below it. Without one, the own
 * picture floats above a single other person, or above two on a stage higher than wide; more people share the stage.
 * `upright`: most pictures are higher than wide.
 * @param {{ others: number, area: Rectangle, spotlight?: boolean, upright?: boolean }} scene
 * @returns {{ spotlight?: Rectangle, places: Rectangle[], floats: boolean }}
 */
export function arrange({ others, area, spotlight = false, upright = false }) {
  const ratio = upright ? UPRIGHT_RATIO : RATIO;
  if (spotlight) {
    const [stage, strip] = split(area);
    return { spotlight: stage, places: tiles(others + 1, strip, ratio), floats: false };
  }
  const floats = others <= 1 || (others === 2 && area.height > area.width);
  return { places: floats ? [...filled(others, area), corner(area)] : tiles(others + 1, area, ratio), floats };
}

/**
 * The largest rectangles of equal size and that ratio that fit: every number of columns is tried. The last row is centred.
 * @param {number} count
 * @param {Rectangle} area
 * @param {number} [ratio]
 * @returns {Rectangle[]}
 */
export function tiles(count, area, ratio = RATIO) {
  const gap = gapOf(count, area);
  let [columns, width] = [1, 0];
  for (let tried = 1; tried <= count; tried += 1) {
    const rows = Math.ceil(count / tried);
    const widest = (area.width - gap * (tried - 1)) / tried;
    const highest = (area.height - gap * (rows - 1)) / rows;
    const fits = Math.max(0, Math.min(widest, highest * ratio));
    if (fits > width) [columns, width] = [tried, fits];
  }
  const height = width / ratio;
  const rows = Math.ceil(count / columns);
  const top = area.y + (area.height - rows * height - gap * (rows - 1)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = area.x + (area.width - inRow * width - gap * (inRow - 1)) / 2;
    return { x: left + (index % columns) * (width + gap), y: top + row * (height + gap), width, height };
  });
}

/** Pixels between pictures; less where many share a small area.
 * @param {number} count
 * @param {Rectangle} area */
export function gapOf(count, { width, height }) {
  return Math.min(GAP, Math.min(width, height) / (4 * Math.sqrt(count)));
}

/** One below the other, whatever their shape.
 * @param {number} count
 * @param {Rectangle} area */
function filled(count, { x, y, width, height }) {
  const each = (height - GAP * (count - 1)) / count;
  return Array.from({ length: count }, (_, index) => ({ x, y: y + index * (each + GAP), width, height: each }));
}

/** Upright on a stage higher than wide: that is a phone, whose camera is upright too.
 * @param {Rectangle} area */
function corner(area) {
  const width = Math.min(Math.max(area.width * FLOATING, SMALLEST_FLOATING), LARGEST_FLOATING, area.width);
  const ratio = area.height > area.width ? UPRIGHT_RATIO : RATIO;
  const height = Math.min(width / ratio, area.height);
  const margin = Math.min(GAP, area.width - width, area.height - height);
  return { x: area.x + area.width - width - margin, y: area.y + area.height - height - margin, width, height };
}

/** The stage and the strip: to its right, or below it where the area is higher than wide.
 * @param {Rectangle} area */
function split({ x, y, width, height }) {
  if (width >= height) {
    const strip = width * STRIP;
    return [{ x, y, width: width - strip - GAP, height }, { x: x + width - strip, y, width: strip, height }];
  }
  const strip = height * STRIP;
  return [{ x, y, width, height: height - strip - GAP }, { x, y: y + height - strip, width, height: strip }];
}

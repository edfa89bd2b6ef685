// An image cut into parts by outlines, and the gaps filled.

/**
 * @typedef {import('./material.js').Exemplar} Exemplar
 * @typedef {{kind: string, row: number, column: number, rows: number, columns: number, power: number}} Outline its box
 *   in pixels of the image; |y|^power + |x|^power = 1 within it, so that 2 is an ellipse and more is almost the box
 * @typedef {{row: number, column: number, rows: number, columns: number}} Box
 * @typedef {{crop: Box, outlines: (Box & {kind: string})[]}} Found the parts of a face and what a portrait shows of the
 *   image, in fractions of it
 * @typedef {{rows: number, columns: number, pixels: ArrayLike<number>}} RgbImage RGB, row by row
 */

const ROOM = 1.15;
const FOUND_ROOM = 1.3; // around lips and lids themselves: their corners lie where an ellipse is narrow
const [ELLIPSE, BOX] = [2, 8];
export const LEAST = 16; // pixels; a twentieth of it is still a pixel when rounded
const SETTLED = 0.02; // grey levels
const MOST_STEPS = 2e7; // so that outlines of half the image do not hold up the page

/**
 * Where the parts of some exemplars lie in the mean, with a little room around them.
 * @param {Exemplar[]} exemplars @param {string[]} kinds @param {number} rows @param {number} columns
 * @returns {Outline[]}
 */
export function meanOutlines(exemplars, kinds, rows, columns) {
  return kinds.map((kind) => {
    const mean = (/** @type {(part: import('./material.js').Part, host: Exemplar) => number} */ of) =>
      exemplars.reduce((sum, host) => sum + of(/** @type {import('./material.js').Part} */ (host.parts.get(kind)), host), 0) / exemplars.length;
    const high = rows * mean((part, host) => part.rows / host.rows);
    const wide = columns * mean((part, host) => part.columns / host.columns);
    const middle = [
      rows * mean((part, host) => (part.row + part.rows / 2) / host.rows),
      columns * mean((part, host) => (part.column + part.columns / 2) / host.columns),
    ];
    const covered = mean((part) => part.mask.reduce((sum, one) => sum + one, 0) / part.mask.length);
    return placed({ kind, row: 0, column: 0, rows: 0, columns: 0, power: covered < 0.87 ? ELLIPSE : BOX }, middle, [ROOM * high, ROOM * wide], rows, columns);
  });
}

/**
 * The outline about another middle and of another size, in whole pixels inside the image.
 * @param {Outline} outline @param {number[]} middle @param {number[]} size @param {number} rows @param {number} columns
 * @returns {Outline}
 */
export function placed(outline, middle, size, rows, columns) {
  const within = (/** @type {number} */ value, /** @type {number} */ least, /** @type {number} */ most) =>
    Math.min(most, Math.max(least, Math.round(value)));
  const [high, wide] = [within(size[0], LEAST, rows), within(size[1], LEAST, columns)];
  const [row, column] = [within(middle[0] - high / 2, 0, rows - high), within(middle[1] - wide / 2, 0, columns - wide)];
  return { ...outline, row, column, rows: high, columns: wide };
}

/**
 * The image about another middle and of another size, but covering everything.
 * @param {Outline} image @param {number[]} middle @param {number[]} size @param {number} rows @param {number} columns
 * @returns {Outline}
 */
export function covering(image, middle, size, rows, columns) {
  const factor = Math.max(1, rows / size[0], columns / size[1]);
  const [high, wide] = size.map((n) => n * factor);
  const row = Math.min(0, Math.max(rows - high, middle[0] - high / 2));
  const column = Math.min(0, Math.max(columns - wide, middle[1] - wide / 2));
  return { ...image, row, column, rows: high, columns: wide };
}

/**
 * Where the image lies so that a portrait fills the canvas, and the outlines around the parts that were found.
 * @param {Found} found @param {Outline} image @param {Outline[]} means of which these have the form
 * @param {number} rows @param {number} columns
 * @returns {Outline[]} the image, and an outline for each of the means
 */
export function foundOutlines({ crop, outlines }, image, means, rows, columns) {
  const factor = Math.min(rows / (crop.rows * image.rows), columns / (crop.columns * image.columns));
  const [high, wide] = [factor * image.rows, factor * image.columns];
  const middle = [rows / 2 + (0.5 - crop.row - crop.rows / 2) * high, columns / 2 + (0.5 - crop.column - crop.columns / 2) * wide];
  const lies = covering(image, middle, [high, wide], rows, columns);
  return [lies, ...means.map((mean) => {
    const box = outlines.filter(({ kind }) => kind === mean.kind)[0];
    const at = [lies.row + (box.row + box.rows / 2) * lies.rows, lies.column + (box.column + box.columns / 2) * lies.columns];
    return placed(mean, at, [box.rows * lies.rows, box.columns * lies.columns].map((n) => FOUND_ROOM * n), rows, columns);
  })];
}

/** Whether a point lies inside, or not far outside. @param {Outline} outline @param {number} row @param {number} column @param {number} [far] */
export function holds({ row: top, column: left, rows, columns, power }, row, column, far = 0) {
  const [y, x] = [(row - top - rows / 2) / (rows / 2 + far), (column - left - columns / 2) / (columns / 2 + far)];
  return Math.abs(y) ** power + Math.abs(x) ** power <= 1;
}

/**
 * An exemplar whose parts are the pixels inside the outlines.
 * @param {string} name @param {RgbImage} image @param {Outline[]} outlines
 * @returns {Exemplar}
 */
export function cutExemplar(name, { rows, columns, pixels }, outlines) {
  const gone = new Uint8Array(rows * columns);
  const parts = outlines.map((outline) => {
    const mask = new Uint8Array(outline.rows * outline.columns);
    const cut = new Uint8Array(3 * mask.length);
    mask.forEach((_, i) => {
      const [r, c] = [outline.row + Math.floor(i / outline.columns), outline.column + (i % outline.columns)];
      const from = r * columns + c;
      mask[i] = Number(holds(outline, r + 0.5, c + 0.5));
      gone[from] |= mask[i];
      for (let k = 0; k < 3; k += 1) cut[3 * i + k] = pixels[3 * from + k];
    });
    const { kind, row, column } = outline;
    return /** @type {const} */ ([kind, { kind, row, column, rows: outline.rows, columns: outline.columns, pixels: cut, mask }]);
  });
  const canvas = filled({ rows, columns, pixels }, outlines, gone);
  // As in the library, the tone of the skin is the median of what was filled.
  const skin = [0, 1, 2].map((k) => {
    const sorted = canvas.filter((_, i) => i % 3 === k && gone[(i - k) / 3]).sort();
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  });
  return { name, rows, columns, side: Math.max(rows, columns), skin, canvas, parts: new Map(parts) };
}

/**
 * The image with each pixel inside an outline the mean of its neighbours: the smoothest surface between the borders.
 * @param {RgbImage} image @param {Outline[]} outlines @param {Uint8Array} gone which pixels those are
 */
function filled({ rows, columns, pixels }, outlines, gone) {
  const values = Float32Array.from(pixels);
  const inside = Array.from(gone.keys()).filter((i) => gone[i]);
  // At the edge of the image there are fewer; a pixel stands in for the missing one itself.
  const near = Int32Array.from(inside.flatMap((i) => [
    i >= columns ? i - columns : i, i + columns < gone.length ? i + columns : i, i % columns ? i - 1 : i, (i + 1) % columns ? i + 1 : i,
  ]));
  // To begin with, what is left of it.
  for (const i of inside) if (i % columns) values.copyWithin(3 * i, 3 * i - 3, 3 * i);
  // Successive over-relaxation, as suits the largest of them best.
  const slowness = outlines.map((outline) => (Math.cos(Math.PI / outline.rows) + Math.cos(Math.PI / outline.columns)) / 2);
  const over = 2 / (1 + Math.sqrt(1 - Math.max(...slowness) ** 2));
  for (let change = 255, round = 0; change > SETTLED && round * inside.length < MOST_STEPS; round += 1) {
    change = 0;
    for (let at = 0; at < inside.length; at += 1) {
      for (let k = 0; k < 3; k += 1) {
        const to = 3 * inside[at] + k;
        let sum = 0;
        for (let j = 4 * at; j < 4 * at + 4; j += 1) sum += values[3 * near[j] + k];
        const step = over * (sum / 4 - values[to]);
        values[to] += step;
        change = Math.max(change, Math.abs(step));
      }
    }
  }
  return new Uint8Array(Uint8ClampedArray.from(values));
}

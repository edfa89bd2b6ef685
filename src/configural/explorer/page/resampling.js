// Resizing with anti-aliasing, as a product with a matrix: a Gaussian of σ = max(0, (side / size − 1) / 2), cut off at
// 4 σ, then linear interpolation between pixel centres, mirrored at the borders.

/** @typedef {{first: number, weights: Float32Array}} Taps by pixel of the small image: what it takes of the large one */

/** @param {number} i @param {number} n */
function mirrored(i, n) {
  if (n === 1) return 0;
  const period = 2 * n - 2;
  const inside = ((i % period) + period) % period;
  return inside < n ? inside : period - inside;
}

/** @param {number} side @param {number} size @returns {Taps[]} */
function makeResampling(side, size) {
  const sigma = Math.max(0, (side / size - 1) / 2);
  const radius = Math.floor(4 * sigma + 0.5);
  const bell = Array.from({ length: 2 * radius + 1 }, (_, k) => (sigma ? Math.exp(-0.5 * ((k - radius) / sigma) ** 2) : 1));
  const total = bell.reduce((sum, value) => sum + value, 0);
  return Array.from({ length: size }, (_, i) => {
    const centre = ((i + 0.5) * side) / size - 0.5;
    const lower = Math.floor(centre);
    const row = new Float64Array(side);
    for (const [tap, share] of [[lower, 1 - centre + lower], [lower + 1, centre - lower]]) {
      bell.forEach((value, k) => {
        row[mirrored(tap + k - radius, side)] += (share * value) / total;
      });
    }
    let first = 0;
    while (first < side - 1 && !row[first]) first += 1;
    let end = side;
    while (end > first + 1 && !row[end - 1]) end -= 1;
    return { first, weights: Float32Array.from(row.subarray(first, end)) };
  });
}

/** @type {Map<string, Taps[]>} */
const resamplings = new Map();

/** @param {number} side @param {number} size @returns {Taps[]} */
export function resampling(side, size) {
  const key = `${side}>${size}`;
  const known = resamplings.get(key);
  if (known) return known;
  const made = makeResampling(side, size);
  resamplings.set(key, made);
  return made;
}

/**
 * Resize an image that lies somewhere in a black rectangle.
 * @param {ArrayLike<number>} pixels rows × columns × planes
 * @param {{rows: number, columns: number, planes: number, top: number, left: number}} shape where in the rectangle
 * @param {Taps[]} down one for each row of the result
 * @param {Taps[]} across one for each of its columns
 * @returns {Float32Array}
 */
export function resized(pixels, shape, down, across) {
  const { rows, columns, planes, top, left } = shape;
  const wide = columns * planes;
  const result = new Float32Array(down.length * across.length * planes);
  const line = new Float32Array(wide);
  down.forEach(({ first, weights }, i) => {
    line.fill(0);
    const begin = Math.max(first, top);
    const end = Math.min(first + weights.length, top + rows);
    for (let r = begin; r < end; r += 1) {
      const weight = weights[r - first];
      const from = (r - top) * wide;
      for (let j = 0; j < wide; j += 1) line[j] += weight * pixels[from + j];
    }
    across.forEach((taps, j) => {
      const start = Math.max(taps.first, left);
      const stop = Math.min(taps.first + taps.weights.length, left + columns);
      for (let plane = 0; plane < planes; plane += 1) {
        let sum = 0;
        for (let c = start; c < stop; c += 1) sum += taps.weights[c - taps.first] * line[(c - left) * planes + plane];
        result[(i * across.length + j) * planes + plane] = sum;
      }
    });
  });
  return result;
}

// The one loop that a convolution spends its time in: four neighbouring pixels, eight output channels. It is put
// together here as a WebAssembly function of a hundred instructions, which adds four numbers at a time; where a browser
// has none of that, the same in plain JavaScript.
//
// tile(source, row, pixel, run, weights, target, next), all in bytes but the run of numbers: three rows of `run` numbers
// from `source` on, `row` apart, and the same `pixel`, 2 · `pixel` and 3 · `pixel` further on, times `weights` (first
// eight biases), into `target`, pixels `next` apart.

/** @typedef {(source: number, row: number, pixel: number, run: number, weights: number, target: number, next: number) => void} Tile */

const PIXELS = 4;

/** @param {number} value */
function leb(value) {
  const bytes = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** @param {number} value */
function unsigned(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}

/** @param {number} number @param {number[]} content */
const section = (number, content) => [number, ...unsigned(content.length), ...content];

/** The function as a module that imports its memory. */
export function kernelModule() {
  const [source, row, pixel, run, weights, target, next, two, three, at, end, left] = Array(12).keys();
  const sums = Array.from({ length: 2 * PIXELS }, (_, i) => 12 + i); // pixel by pixel, two halves of the channels
  const [low, high, value] = [20, 21, 22];
  const get = (/** @type {number} */ i) => [0x20, i];
  const set = (/** @type {number} */ i) => [0x21, i];
  const number = (/** @type {number} */ n) => [0x41, ...leb(n)];
  const plus = [0x6a];
  const load = (/** @type {number} */ offset) => [0xfd, 0, 2, ...unsigned(offset)];
  const splat = [0xfd, 9, 2, 0];
  const store = (/** @type {number} */ offset) => [0xfd, 11, 2, ...unsigned(offset)];
  const [addAll, multiplyAll] = [[0xfd, 0xe4, 1], [0xfd, 0xe6, 1]];
  const further = (/** @type {number} */ i, /** @type {number[]} */ by) => [...get(i), ...by, ...plus, ...set(i)];
  const away = [[], [...get(pixel), ...plus], [...get(two), ...plus], [...get(three), ...plus]];
  const body = [
    ...get(pixel), ...get(pixel), ...plus, ...set(two),
    ...get(two), ...get(pixel), ...plus, ...set(three),
    ...sums.flatMap((sum, i) => [...get(weights), ...load(16 * (i % 2)), ...set(sum)]),
    ...further(weights, number(32)),
    ...number(3), ...set(left),
    0x03, 0x40, // for each row
    ...get(source), ...set(at),
    ...get(source), ...get(run), ...number(4), 0x6c, ...plus, ...set(end),
    0x03, 0x40, // for each number of the run
    ...get(weights), ...load(0), ...set(low),
    ...get(weights), ...load(16), ...set(high),
    ...away.flatMap((offset, i) => [
      ...get(at), ...offset, ...splat, ...set(value),
      ...get(sums[2 * i]), ...get(value), ...get(low), ...multiplyAll, ...addAll, ...set(sums[2 * i]),
      ...get(sums[2 * i + 1]), ...get(value), ...get(high), ...multiplyAll, ...addAll, ...set(sums[2 * i + 1]),
    ]),
    ...further(weights, number(32)),
    ...further(at, number(4)),
    ...get(at), ...get(end), 0x47, 0x0d, 0, 0x0b,
    ...further(source, get(row)),
    ...get(left), ...number(1), 0x6b, 0x22, left, 0x0d, 0, 0x0b,
    ...sums.flatMap((sum, i) => [
      ...get(target), ...get(sum), ...store(16 * (i % 2)), ...(i % 2 ? further(target, get(next)) : []),
    ]),
    0x0b,
  ];
  const locals = [2, 5, 0x7f, 11, 0x7b]; // after the seven arguments: five integers, eleven vectors
  const code = [...unsigned(locals.length + body.length), ...locals, ...body];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 7, ...Array(7).fill(0x7f), 0]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x74, 0, 0]),
    ...section(10, [1, ...code]),
  ]);
}

/**
 * @param {Float32Array} memory
 * @returns {Tile}
 */
export function plainTile(memory) {
  return (source, row, pixel, run, weights, target, next) => {
    for (let j = 0; j < PIXELS; j += 1) {
      let w = weights / 4;
      let [a, b, c, d, e, f, g, h] = memory.subarray(w, w + 8);
      for (let y = 0; y < 3; y += 1) {
        const start = (source + y * row + j * pixel) / 4;
        for (let k = start; k < start + run; k += 1) {
          w += 8;
          const value = memory[k];
          a += value * memory[w];
          b += value * memory[w + 1];
          c += value * memory[w + 2];
          d += value * memory[w + 3];
          e += value * memory[w + 4];
          f += value * memory[w + 5];
          g += value * memory[w + 6];
          h += value * memory[w + 7];
        }
      }
      memory.set([a, b, c, d, e, f, g, h], (target + j * next) / 4);
    }
  };
}

/**
 * Memory for so many numbers, and the loop on it.
 * @param {number} numbers
 * @param {boolean} [plain] without WebAssembly
 * @returns {{memory: Float32Array, tile: Tile}}
 */
export function makeKernel(numbers, plain = false) {
  try {
    if (plain) throw new Error('wanted so');
    const held = new WebAssembly.Memory({ initial: Math.ceil((4 * numbers) / 65536) + 1 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(kernelModule()), { m: { m: held } });
    return { memory: new Float32Array(held.buffer), tile: /** @type {Tile} */ (instance.exports.t) };
  } catch {
    const memory = new Float32Array(numbers);
    return { memory, tile: plainTile(memory) };
  }
}

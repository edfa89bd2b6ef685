// The study's networks, forward only.

import { makeKernel } from './kernel.js';
import { unpackFloats, unpackWeights } from './packing.js';

/** @typedef {{logOdds: number, evidence: number[] | null, side: number}} Response */

const padded = (/** @type {number} */ n) => 4 * Math.ceil(n / 4);

/**
 * A network by its description in the bundle.
 * @param {any} described
 * @param {number} imageSize
 * @param {boolean} [plain] without WebAssembly
 * @returns {Promise<(image: Uint8Array | Uint8ClampedArray) => Response>} from RGB
 */
export async function makeNetwork(described, imageSize, plain = false) {
  const blocks = await Promise.all(
    described.blocks.map(async (/** @type {any} */ block) => ({
      weights: await unpackWeights(block.weights),
      bias: await unpackFloats(block.bias),
      factor: block.factor ? await unpackFloats(block.factor) : null,
      term: block.term ? await unpackFloats(block.term) : null,
      outputs: block.weights.shape[0],
      inputs: block.weights.shape[3],
    })),
  );
  const headWeights = await unpackWeights(described.head.weights);
  const headBias = await unpackFloats(described.head.bias);
  const means = described.means_bgr;

  // Where in memory: per block its weights, its input with a border of one pixel, its output before pooling. Rows are
  // filled up to a multiple of four pixels, since the kernel takes four at a time.
  let used = 0;
  const take = (/** @type {number} */ numbers) => {
    const start = used;
    used += padded(numbers);
    return start;
  };
  const plan = blocks.map((block, i) => {
    const side = imageSize >> i;
    const wide = padded(side);
    return {
      ...block,
      side,
      wide,
      weightsAt: take(block.outputs * (1 + 9 * block.inputs)),
      inputAt: take((side + 2) * (wide + 2) * block.inputs),
      outputAt: take(side * wide * block.outputs),
    };
  });
  const last = plan[plan.length - 1];
  const side = last.side >> 1;
  const featuresAt = take((side + 2) * (padded(side) + 2) * last.outputs);
  const { memory, tile } = makeKernel(used, plain);

  for (const block of plan) {
    const numbers = 9 * block.inputs;
    let at = block.weightsAt;
    for (let first = 0; first < block.outputs; first += 8) {
      for (let c = 0; c < 8; c += 1) memory[at + c] = block.bias[first + c];
      at += 8;
      for (let k = 0; k < numbers; k += 1) {
        for (let c = 0; c < 8; c += 1) memory[at + c] = block.weights[(first + c) * numbers + k];
        at += 8;
      }
    }
  }

  /** @param {typeof plan[0]} block @param {number} nextAt @param {number} nextWide */
  function convolve(block, nextAt, nextWide) {
    const { inputs, outputs, wide } = block;
    const row = 4 * (wide + 2) * inputs;
    for (let first = 0; first < outputs; first += 8) {
      const weights = 4 * (block.weightsAt + first * (1 + 9 * inputs));
      for (let y = 0; y < block.side; y += 1) {
        const source = 4 * block.inputAt + y * row;
        const target = 4 * (block.outputAt + y * wide * outputs + first);
        for (let x = 0; x < wide; x += 4) {
          tile(source + 4 * x * inputs, row, 4 * inputs, 3 * inputs, weights, target + 4 * x * outputs, 4 * outputs);
        }
      }
    }
    const half = block.side >> 1;
    const down = wide * outputs;
    for (let y = 0; y < half; y += 1) {
      for (let x = 0; x < half; x += 1) {
        const from = block.outputAt + 2 * y * down + 2 * x * outputs;
        const to = nextAt + ((y + 1) * (nextWide + 2) + x + 1) * outputs;
        for (let c = 0; c < outputs; c += 1) {
          const i = from + c;
          const value = Math.max(memory[i], memory[i + outputs], memory[i + down], memory[i + down + outputs], 0);
          memory[to + c] = block.factor ? value * block.factor[c] + block.term[c] : value;
        }
      }
    }
  }

  /** @param {Uint8Array | Uint8ClampedArray} image */
  return (image) => {
    const first = plan[0];
    for (let y = 0; y < imageSize; y += 1) {
      for (let x = 0; x < imageSize; x += 1) {
        const to = first.inputAt + 3 * ((y + 1) * (first.wide + 2) + x + 1);
        const from = 3 * (y * imageSize + x);
        for (let c = 0; c < 3; c += 1) memory[to + c] = image[from + 2 - c] - means[c];
      }
    }
    plan.forEach((block, i) => {
      const next = plan[i + 1];
      convolve(block, next ? next.inputAt : featuresAt, next ? next.wide : padded(side));
    });
    const channels = last.outputs;
    const feature = (/** @type {number} */ y, /** @type {number} */ x) =>
      featuresAt + ((y + 1) * (padded(side) + 2) + x + 1) * channels;
    const dense = described.head.kind === 'dense';
    const logits = dense ? [headBias[0], headBias[1]] : [-Infinity, -Infinity];
    const evidence = dense ? null : new Array(side * side);
    const each = dense ? side * side * channels : channels;
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) {
        const at = feature(y, x);
        const weight = dense ? (y * side + x) * channels : 0;
        const sums = dense ? [0, 0] : [headBias[0], headBias[1]];
        for (let k = 0; k < 2; k += 1) {
          for (let c = 0; c < channels; c += 1) sums[k] += memory[at + c] * headWeights[k * each + weight + c];
          logits[k] = dense ? logits[k] + sums[k] : Math.max(logits[k], sums[k]);
        }
        if (evidence) evidence[y * side + x] = sums[1] - sums[0];
      }
    }
    return { logOdds: logits[1] - logits[0], evidence, side };
  };
}

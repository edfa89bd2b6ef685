// From text in the bundle back to numbers.

/**
 * Bytes that were compressed and written as base64.
 * @param {string} text
 * @returns {Promise<Uint8Array>}
 */
export async function unpack(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The opposite of `unpack`. @param {Uint8Array} bytes */
export async function pack(bytes) {
  const stream = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]).stream().pipeThrough(new CompressionStream('deflate'));
  let text = '';
  for (const byte of new Uint8Array(await new Response(stream).arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The opposite of `unpackImage`. @param {Uint8Array} pixels RGB, row by row @param {number} columns */
export async function packImage(pixels, columns) {
  return pack(pixels.map((value, i) => (i % (3 * columns) >= 3 ? value - pixels[i - 3] : value)));
}

/**
 * An image of which each pixel was stored less the one left of it.
 * @param {string} text
 * @param {number} columns
 * @returns {Promise<Uint8Array>} RGB, row by row
 */
export async function unpackImage(text, columns) {
  const pixels = await unpack(text);
  const row = 3 * columns;
  for (let i = 0; i < pixels.length; i += 1) {
    if (i % row >= 3) pixels[i] += pixels[i - 3];
  }
  return pixels;
}

/**
 * @param {string} text
 * @returns {Promise<Float32Array>}
 */
export async function unpackFloats(text) {
  return new Float32Array((await unpack(text)).buffer);
}

/**
 * Weights as they are, or as whole numbers times a step of each output channel.
 * @param {{shape: number[], values: string, steps?: undefined, levels?: undefined} | {shape: number[], values?: undefined, steps: string, levels: string}} stored
 * @returns {Promise<Float32Array>} output channel, row, column, input channel
 */
export async function unpackWeights(stored) {
  if (stored.values !== undefined) return unpackFloats(stored.values);
  const steps = await unpackFloats(stored.steps);
  const levels = new Int8Array((await unpack(stored.levels)).buffer);
  const each = levels.length / steps.length;
  const weights = new Float32Array(levels); // then in place: a call for each number takes seconds
  steps.forEach((step, i) => {
    for (let k = i * each; k < (i + 1) * each; k += 1) weights[k] *= step;
  });
  return weights;
}

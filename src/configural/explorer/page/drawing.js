// From a state to pixels, by the same formula as the library's renderer.

import { resampling, resized } from './resampling.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {{rows: number, columns: number, pixels: ArrayLike<number>, mask: ArrayLike<number>}} Patch
 * @typedef {{slot: string, shown: boolean, patch: Patch, start: number[], middle: number[], low: number[], high: number[],
 *   still: boolean, matrix: number[]}} Placed where a part lies on the surface; the matrix turns and enlarges (row, column)
 * @typedef {{side: number, rows: number, columns: number, corner: number[], origin: number[], items: Placed[]}} Scene
 */

const GREY = 128;

/**
 * A part at the resolution of its host.
 * @param {import('./material.js').Material} material
 * @param {string} donorName @param {string} kind @param {number} hostSide
 * @returns {Patch}
 */
function fittedPatch(material, donorName, kind, hostSide) {
  const donor = material.exemplar(donorName);
  const part = /** @type {import('./material.js').Part} */ (donor.parts.get(kind));
  if (donor.side === hostSide) return part;
  return remembered(material.fitted, JSON.stringify([donorName, kind, hostSide]), () => refitted(part, donor.side, hostSide));
}

/** @param {import('./material.js').Part} part @param {number} donorSide @param {number} hostSide @returns {Patch} */
function refitted(part, donorSide, hostSide) {
  const scaled = (/** @type {number} */ n) => Math.max(1, Math.floor((2 * n * hostSide + donorSide) / (2 * donorSide)));
  const [rows, columns] = [scaled(part.rows), scaled(part.columns)];
  const [down, across] = [resampling(part.rows, rows), resampling(part.columns, columns)];
  const shape = { rows: part.rows, columns: part.columns, planes: 3, top: 0, left: 0 };
  const covered = resized(part.mask, { ...shape, planes: 1 }, down, across);
  const half = Math.max(...covered) / 2 - 1e-5;
  return { rows, columns, pixels: resized(part.pixels, shape, down, across), mask: covered.map((c) => Number(c >= half)) };
}

/**
 * Where everything lies, in pixels of the host's portrait.
 * @param {import('./material.js').Material} material
 * @param {State} state
 * @returns {Scene}
 */
export function sceneOf(material, state) {
  const host = material.exemplar(state.exemplar);
  const spare = [host.side - host.rows, host.side - host.columns];
  const padding = spare.map((n) => ({ left: 0, middle: Math.floor(n / 2), right: n })[state.placement]);
  const own = state.canvas === 'own';
  const origin = own ? [0, 0] : padding;
  const items = state.parts.map((part) => {
    const patch = fittedPatch(material, part.donor, part.kind, host.side);
    const slot = /** @type {import('./material.js').Part} */ (host.parts.get(part.slot));
    const start = [slot.row + part.rows + origin[0], slot.column + part.columns + origin[1]];
    const size = [patch.rows, patch.columns];
    const middle = start.map((s, i) => s + (size[i] - 1) / 2);
    const still = part.turn === 0 && part.scale === 1;
    const angle = (part.turn * Math.PI) / 180;
    const [cos, sin] = [part.scale * Math.cos(angle), part.scale * Math.sin(angle)];
    let [low, high] = [start, start.map((s, i) => s + size[i])];
    if (!still) {
      const corners = [0, 1, 2, 3].map((k) => {
        const r = (k < 2 ? start[0] - 1 : start[0] + size[0]) - middle[0];
        const c = (k % 2 ? start[1] + size[1] : start[1] - 1) - middle[1];
        return [cos * r + sin * c + middle[0], -sin * r + cos * c + middle[1]];
      });
      low = [0, 1].map((i) => Math.floor(Math.min(...corners.map((corner) => corner[i]))));
      high = [0, 1].map((i) => Math.ceil(Math.max(...corners.map((corner) => corner[i]))) + 1);
    }
    return { slot: part.slot, shown: part.shown, patch, start, middle, low, high, still, matrix: [cos, sin, -sin, cos] };
  });
  const [rows, columns] = own ? [host.rows, host.columns] : [host.side, host.side];
  return { side: host.side, rows, columns, corner: own ? padding : [0, 0], origin, items };
}

/**
 * The surface without parts; whoever changes it takes a copy.
 * @param {import('./material.js').Material} material
 * @param {State} state
 * @param {Scene} scene
 * @returns {Float32Array} rows × columns × RGB
 */
function bareSurface(material, state, scene) {
  return remembered(material.fitted, JSON.stringify([state.exemplar, state.canvas]), () => {
    const host = material.exemplar(state.exemplar);
    if (state.canvas === 'own') return new Float32Array(host.canvas);
    const surface = new Float32Array(scene.rows * scene.columns * 3);
    const tone = toneOf(material, state);
    for (let i = 0; i < surface.length; i += 1) surface[i] = tone[i % 3];
    return surface;
  });
}

/** @param {import('./material.js').Material} material @param {State} state */
const toneOf = (material, state) => (state.canvas === 'grey' ? [GREY, GREY, GREY] : material.exemplar(state.exemplar).skin);

/**
 * The same as a square image of some size; a plain tone stays exactly what it is.
 * @param {import('./material.js').Material} material @param {State} state @param {Scene} scene @param {number} size
 * @returns {Float32Array}
 */
function bareImage(material, state, scene, size) {
  return remembered(material.fitted, JSON.stringify([state.exemplar, state.canvas, state.placement, size]), () => {
    if (state.canvas === 'own') return resizedPart(bareSurface(material, state, scene), [0, 0, scene.rows, scene.columns], scene, size);
    const tone = toneOf(material, state);
    return new Float32Array(3 * size * size).map((_, i) => tone[i % 3]);
  });
}

/**
 * What lies in a box of the surface, in a square image of some size, black around it.
 * @param {Float32Array} pixels of the box
 * @param {number[]} box first row and column, one past the last ones
 * @param {Scene} scene @param {number} size
 */
function resizedPart(pixels, [top, left, bottom, right], scene, size) {
  const taps = resampling(scene.side, size);
  const shape = { rows: bottom - top, columns: right - left, planes: 3, top: top + scene.corner[0], left: left + scene.corner[1] };
  return resized(pixels, shape, taps, taps);
}

/** @template T @param {Map<string, T>} known @param {string} key @param {() => T} find @returns {T} */
function remembered(known, key, find) {
  if (!known.has(key)) known.set(key, find());
  return /** @type {T} */ (known.get(key));
}

/** @param {Float32Array} surface within the box @param {number[]} box @param {Placed} item @param {number} blend */
function paste(surface, [first, before, end, beyond], item, blend) {
  const { patch, low, high, start, middle, still, matrix } = item;
  const { rows, columns, pixels, mask } = patch;
  const factor = matrix[0] ** 2 + matrix[1] ** 2;
  const [top, left] = [Math.max(low[0], first), Math.max(low[1], before)];
  const [bottom, right] = [Math.min(high[0], end), Math.min(high[1], beyond)];
  for (let r = top; r < bottom; r += 1) {
    for (let c = left; c < right; c += 1) {
      const to = ((r - first) * (beyond - before) + c - before) * 3;
      if (still) {
        const from = (r - start[0]) * columns + c - start[1];
        if (!mask[from]) continue;
        for (let k = 0; k < 3; k += 1) surface[to + k] += (pixels[3 * from + k] - surface[to + k]) * blend;
        continue;
      }
      // Back to where the part shows it, linearly between pixels; its mask ends in one pixel of nothing.
      const [dr, dc] = [r - middle[0], c - middle[1]];
      const y = (matrix[0] * dr + matrix[2] * dc) / factor + middle[0] - start[0];
      const x = (matrix[1] * dr + matrix[3] * dc) / factor + middle[1] - start[1];
      if (y <= -1 || x <= -1 || y >= rows || x >= columns) continue;
      const [y0, x0] = [Math.floor(y), Math.floor(x)];
      const [fy, fx] = [y - y0, x - x0];
      let alpha = 0;
      let [red, green, blue] = [0, 0, 0];
      for (let k = 0; k < 4; k += 1) {
        const [yy, xx] = [y0 + (k >> 1), x0 + (k & 1)];
        const share = (k >> 1 ? fy : 1 - fy) * (k & 1 ? fx : 1 - fx);
        const inside = yy >= 0 && xx >= 0 && yy < rows && xx < columns;
        const from = Math.min(Math.max(yy, 0), rows - 1) * columns + Math.min(Math.max(xx, 0), columns - 1);
        if (inside && mask[from]) alpha += share;
        red += share * pixels[3 * from];
        green += share * pixels[3 * from + 1];
        blue += share * pixels[3 * from + 2];
      }
      alpha *= blend;
      surface[to] += (red - surface[to]) * alpha;
      surface[to + 1] += (green - surface[to + 1]) * alpha;
      surface[to + 2] += (blue - surface[to + 2]) * alpha;
    }
  }
}

/**
 * A state once drawn, at any size. Resizing is linear, so that only what parts change of the surface is resized.
 * @param {import('./material.js').Material} material
 * @param {State} state
 */
export function drawn(material, state) {
  const scene = sceneOf(material, state);
  const bare = bareSurface(material, state, scene);
  const shown = scene.items.filter((item) => item.shown);
  // Only the box that holds all parts is copied to draw them: maps draw hundreds of states.
  const low = [0, 1].map((i) => Math.max(0, Math.min(...shown.map((item) => item.low[i]))));
  const high = [0, 1].map((i) => Math.min([scene.rows, scene.columns][i], Math.max(...shown.map((item) => item.high[i]))));
  const box = shown.length ? [...low, ...high] : [0, 0, 0, 0];
  const [top, left, bottom, right] = box;
  const wide = 3 * (right - left);
  const surface = new Float32Array((bottom - top) * wide);
  const bareRow = (/** @type {number} */ r) => bare.subarray(3 * (r * scene.columns + left), 3 * (r * scene.columns + right));
  for (let r = top; r < bottom; r += 1) surface.set(bareRow(r), (r - top) * wide);
  for (const item of shown) paste(surface, box, item, material.blend);
  const changed = () => {
    const change = surface.slice();
    for (let r = top; r < bottom; r += 1) {
      const [row, at] = [bareRow(r), (r - top) * wide];
      for (let i = 0; i < wide; i += 1) change[at + i] -= row[i];
    }
    return change;
  };
  /** @type {Map<number, Uint8ClampedArray>} */
  const made = new Map();
  return {
    scene,
    /**
     * The square image of so many rows and columns, as networks see it.
     * @param {number} size
     * @returns {Uint8ClampedArray} RGB
     */
    image(size) {
      let image = made.get(size);
      if (!image) {
        const exact = bareImage(material, state, scene, size).slice();
        if (shown.length) resizedPart(changed(), box, scene, size).forEach((value, i) => { exact[i] += value; });
        // Such an array rounds to whole levels, halves to the even one.
        image = new Uint8ClampedArray(exact);
        if (state.flip) image = turnedOver(image);
        made.set(size, image);
      }
      return image;
    },
    /** The square image at the resolution of the host's portrait, for the eye. */
    large() {
      const image = new Uint8ClampedArray(scene.side * scene.side * 3);
      for (let r = 0; r < scene.rows; r += 1) {
        const row = bare.subarray(3 * r * scene.columns, 3 * (r + 1) * scene.columns);
        image.set(row, 3 * ((r + scene.corner[0]) * scene.side + scene.corner[1]));
      }
      for (let r = top; r < bottom; r += 1) {
        const row = surface.subarray((r - top) * wide, (r - top + 1) * wide);
        image.set(row, 3 * ((r + scene.corner[0]) * scene.side + left + scene.corner[1]));
      }
      return state.flip ? turnedOver(image) : image;
    },
  };
}

/** @param {Uint8ClampedArray} image */
function turnedOver(image) {
  const result = new Uint8ClampedArray(image.length);
  for (let i = 0; i < image.length; i += 3) {
    for (let k = 0; k < 3; k += 1) result[image.length - 3 - i + k] = image[i + k];
  }
  return result;
}

/**
 * @param {Uint8ClampedArray} rgb
 * @param {number} size
 */
export function asImageData(rgb, size) {
  const data = new ImageData(size, size);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
    data.data[j] = rgb[i];
    data.data[j + 1] = rgb[i + 1];
    data.data[j + 2] = rgb[i + 2];
    data.data[j + 3] = 255;
  }
  return data;
}

/**
 * The image with a grey square on it.
 * @param {Uint8ClampedArray} image @param {number} size
 * @param {{top: number, left: number, side: number}} square in pixels
 */
export function hidden(image, size, { top, left, side }) {
  const result = image.slice();
  for (let r = Math.max(top, 0); r < Math.min(top + side, size); r += 1) {
    const [first, end] = [Math.max(left, 0), Math.min(left + side, size)];
    result.fill(GREY, 3 * (r * size + first), 3 * (r * size + end));
  }
  return result;
}

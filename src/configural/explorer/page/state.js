// What a visitor has arranged, as data, and the changes to it. A state is never changed: each change gives a new one.

import { sceneOf } from './drawing.js';

/**
 * @typedef {{slot: string, kind: string, donor: string, rows: number, columns: number, turn: number, scale: number, shown: boolean}} PartState
 * @typedef {{exemplar: string, canvas: 'own' | 'skin' | 'grey', placement: 'left' | 'middle' | 'right', flip: boolean, parts: PartState[]}} State
 * @typedef {import('./material.js').Material} Mat
 */

const CANVASES = ['own', 'skin', 'grey'];
const SIDES = ['left', 'middle', 'right'];
export const SCALES = [0.5, 2];

/**
 * An exemplar with its own parts, all where they were.
 * @param {Mat} material @param {string} exemplar
 * @returns {State}
 */
export function wholeObject(material, exemplar) {
  const parts = material.scheme.part_kinds.map((kind) => ({
    slot: kind, kind, donor: exemplar, rows: 0, columns: 0, turn: 0, scale: 1, shown: true,
  }));
  return { exemplar, canvas: 'own', placement: 'middle', flip: false, parts };
}

/** @param {State} state */
export const exemplarsOf = (state) => [state.exemplar, ...state.parts.map((part) => part.donor)];

/**
 * @param {State} state @param {string[]} slots
 * @param {(part: PartState) => Partial<PartState>} change
 * @returns {State}
 */
export function withParts(state, slots, change) {
  return { ...state, parts: state.parts.map((part) => (slots.includes(part.slot) ? { ...part, ...change(part) } : part)) };
}

/**
 * How far each part may go: the least and the most rows and columns.
 * @param {Mat} material @param {State} state @param {string[]} slots
 */
function room(material, state, slots) {
  const scene = sceneOf(material, state);
  const some = scene.items.filter((item) => item.shown && slots.includes(item.slot));
  const size = [scene.rows, scene.columns];
  return [0, 1].map((i) => ({
    least: Math.max(...some.map((item) => -item.low[i])),
    most: Math.min(...some.map((item) => size[i] - item.high[i])),
  }));
}

/**
 * Some parts moved together, no further than to the edge.
 * @param {Mat} material @param {State} state @param {string[]} slots
 * @param {number} rows @param {number} columns
 * @returns {State}
 */
export function moved(material, state, slots, rows, columns) {
  const [down, across] = room(material, state, slots).map(({ least, most }, i) =>
    Math.round(Math.max(least, Math.min(most, [rows, columns][i]))),
  );
  if (!Number.isFinite(down + across)) return state;
  return withParts(state, slots, (part) => ({ rows: part.rows + down, columns: part.columns + across }));
}

/**
 * Each part moved onto the surface, if it fits on it at all; else null.
 * @param {Mat} material @param {State} state
 * @returns {State | null}
 */
export function broughtInside(material, state) {
  let result = state;
  for (const { slot, shown } of state.parts) {
    if (!shown) continue;
    if (room(material, result, [slot]).some(({ least, most }) => least > most)) return null;
    result = moved(material, result, [slot], 0, 0);
  }
  return result;
}

/**
 * Some parts turned and enlarged about their common middle.
 * @param {Mat} material @param {State} state @param {string[]} slots
 * @param {number} degrees clockwise
 * @param {number} factor
 * @returns {State}
 */
export function posed(material, state, slots, degrees, factor) {
  const items = sceneOf(material, state).items.filter((item) => slots.includes(item.slot));
  if (!items.length) return state;
  if (state.parts.some((part) => slots.includes(part.slot) && !fits(part.scale * factor))) return state;
  const middle = [0, 1].map((i) => items.reduce((sum, item) => sum + item.middle[i], 0) / items.length);
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [factor * Math.cos(angle), factor * Math.sin(angle)];
  const changed = withParts(state, slots, (part) => {
    const item = items[items.findIndex((one) => one.slot === part.slot)];
    const [r, c] = [item.middle[0] - middle[0], item.middle[1] - middle[1]];
    return {
      rows: part.rows + Math.round(cos * r + sin * c - r),
      columns: part.columns + Math.round(-sin * r + cos * c - c),
      turn: wrapped(part.turn + degrees),
      scale: Math.round(part.scale * factor * 1000) / 1000,
    };
  });
  return broughtInside(material, changed) ?? state;
}

/** @param {number} scale */
const fits = (scale) => scale >= SCALES[0] - 1e-3 && scale <= SCALES[1] + 1e-3;

/** @param {number} degrees */
const wrapped = (degrees) => Math.round((((degrees + 180) % 360) + 360) % 360) - 180;

/**
 * What two slots hold, exchanged.
 * @param {State} state @param {string} one @param {string} other
 * @returns {State}
 */
export function swapped(state, one, other) {
  const held = (/** @type {string} */ slot) => {
    const { kind, donor } = state.parts.filter((part) => part.slot === slot)[0];
    return { kind, donor };
  };
  return withParts(withParts(state, [one], () => held(other)), [other], () => held(one));
}

/** @typedef {() => number} Chance from 0 to 1 */

/**
 * A stimulus as the study drew them, with a little jitter: its parts in the correct or in a scrambled arrangement.
 * @param {Mat} material @param {State} state whose exemplar and canvas stay
 * @param {boolean} scramble
 * @param {Chance} chance
 * @returns {State}
 */
export function drawnAtRandom(material, state, scramble, chance = Math.random) {
  const { part_kinds: kinds, scrambles } = material.scheme;
  const fresh = wholeObject(material, state.exemplar);
  for (let tried = 0; tried < 100; tried += 1) {
    const order = scramble ? scrambles[Math.floor(chance() * scrambles.length)] : kinds.map((_, i) => i);
    const parts = fresh.parts.map((part, i) => ({
      ...part, kind: kinds[order[i]], rows: Math.floor(10 * chance()), columns: Math.floor(10 * chance()),
    }));
    const result = { ...fresh, canvas: state.canvas, placement: state.placement, flip: state.flip, parts };
    const inside = broughtInside(material, result);
    if (inside) return inside;
  }
  return fresh;
}

/**
 * What anybody would say: false if parts have changed their slots, true if nothing has changed but where all of them
 * lie together; null in between.
 * @param {State} state
 */
export function verdict(state) {
  if (state.parts.some((part) => !part.shown)) return null;
  if (!isCorrect(state)) return false;
  const [first] = state.parts;
  const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) <= 10;
  const whole = state.parts.every(
    (part) => near(part.rows, first.rows) && near(part.columns, first.columns) && part.turn === 0 && part.scale === 1,
  );
  return whole || null;
}

/** Whether each slot holds the kind of part that belongs there, whatever its position. @param {State} state */
export const isCorrect = (state) => state.parts.every((part) => part.shown && part.kind === part.slot);

/**
 * A state as text for a link.
 * @param {Mat} material @param {State} state
 */
export function toLink(material, state) {
  const donors = [...new Set(exemplarsOf(state))];
  const rows = state.parts.map((part) => [
    material.scheme.part_kinds.indexOf(part.kind), donors.indexOf(part.donor), part.rows, part.columns,
    Math.round(part.turn), part.scale, Number(part.shown),
  ]);
  const values = [1, donors, CANVASES.indexOf(state.canvas), SIDES.indexOf(state.placement), Number(state.flip), rows];
  const bytes = new TextEncoder().encode(JSON.stringify(values));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * The state of a link, or null where it is damaged or made for other exemplars.
 * @param {Mat} material @param {string} text
 * @returns {State | null}
 */
export function fromLink(material, text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const [format, donors, canvas, placement, flip, rows] = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    const kinds = material.scheme.part_kinds;
    const whole = (/** @type {any} */ n, /** @type {number} */ most) => Number.isInteger(n) && Math.abs(n) <= most;
    const good =
      format === 1 && rows.length === kinds.length && CANVASES[canvas] && SIDES[placement] &&
      donors.every((/** @type {string} */ name) => material.names.includes(name)) &&
      rows.every(
        (/** @type {number[]} */ [kind, donor, down, across, turn, scale, shown]) =>
          kinds[kind] && donors[donor] && whole(down, 4096) && whole(across, 4096) && whole(turn, 360) &&
          Number.isFinite(scale) && fits(scale) && [0, 1].includes(shown),
      );
    if (!good) return null;
    return {
      exemplar: donors[0],
      canvas: /** @type {State['canvas']} */ (CANVASES[canvas]),
      placement: /** @type {State['placement']} */ (SIDES[placement]),
      flip: flip === 1,
      parts: rows.map((/** @type {number[]} */ [kind, donor, down, across, turn, scale, shown], /** @type {number} */ slot) => ({
        slot: kinds[slot], kind: kinds[kind], donor: donors[donor], rows: down, columns: across, turn, scale, shown: shown === 1,
      })),
    };
  } catch {
    return null;
  }
}

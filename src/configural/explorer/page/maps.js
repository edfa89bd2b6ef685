// On demand: what a model's score depends on, as a map over the image.

import { drawn } from './drawing.js';
import { sceneOf } from './drawing.js';
import { moved } from './state.js';

const GRID = 15;
const PATCH = 1 / 8;
const FAINT = 0.5; // nats: what matters less is not shown as if it mattered

/** @typedef {{rows: number, values: (number | null)[], least: number, most: number}} Heat */

/**
 * How much the score loses when a small square is hidden, square by square.
 * @param {any} models @param {number} index @param {import('./asking.js').Item} item @param {number} score as it is
 * @param {() => boolean} wanted
 * @returns {Promise<Heat | null>}
 */
export async function occlusionMap(models, index, item, score, wanted) {
  const step = (1 - PATCH) / (GRID - 1);
  const items = Array.from({ length: GRID * GRID }, (_, i) => ({
    ...item, hide: { top: Math.floor(i / GRID) * step, left: (i % GRID) * step, side: PATCH },
  }));
  const replies = await models.askLater(index, items, wanted);
  if (!replies) return null;
  return heat(GRID, replies.map((/** @type {any} */ reply) => score - reply.logOdds));
}

/**
 * What each unit of a fully convolutional network says by itself.
 * @param {{evidence?: number[] | null, side?: number}} reply
 * @returns {Heat | null}
 */
export function evidenceMap(reply) {
  return reply.evidence && reply.side ? heat(reply.side, reply.evidence) : null;
}

/**
 * The score with one part at every position, above the lowest of them.
 * @param {any} models @param {number} index @param {import('./material.js').Material} material
 * @param {import('./state.js').State} state @param {string} slot @param {() => boolean} wanted
 * @returns {Promise<Heat | null>}
 */
export async function positionMap(models, index, material, state, slot, wanted) {
  const scene = sceneOf(material, state);
  const { middle } = scene.items.filter((item) => item.slot === slot)[0];
  const all = Array.from({ length: GRID * GRID }, (_, i) => {
    const [row, column] = [Math.floor(i / GRID), i % GRID].map((n) => ((n + 0.5) / GRID) * scene.side);
    const [down, across] = [row - scene.corner[0] - middle[0], column - scene.corner[1] - middle[1]].map(Math.round);
    const there = moved(material, state, [slot], down, across);
    const was = state.parts.filter((part) => part.slot === slot)[0];
    const is = there.parts.filter((part) => part.slot === slot)[0];
    const far = Math.max(Math.abs(is.rows - was.rows - down), Math.abs(is.columns - was.columns - across));
    return far > scene.side / GRID / 2 ? null : there;
  });
  const wantedStates = all.filter((one) => one !== null);
  /** @type {(number | null)[]} */
  const values = [];
  let replies = [];
  for (let first = 0; first < wantedStates.length; first += 15) {
    // Drawn a few at a time, so that the page does not stop.
    await new Promise((resolve) => setTimeout(resolve));
    const items = wantedStates.slice(first, first + 15).map((one) => ({ state: one, drawing: drawn(material, one) }));
    const some = await models.askLater(index, items, wanted);
    if (!some) return null;
    replies.push(...some);
  }
  let at = 0;
  for (const one of all) {
    values.push(one === null ? null : replies[at].logOdds);
    if (one !== null) at += 1;
  }
  if (state.flip) values.reverse();
  // From the lowest score to the highest, so that a hot spot is seen where all of them are high.
  const scores = values.filter((value) => value !== null);
  const least = Math.min(...scores);
  return heat(GRID, values.map((value) => (value === null ? null : value - least)));
}

/** @param {number} rows @param {(number | null)[]} values @returns {Heat} */
function heat(rows, values) {
  const known = values.filter((value) => value !== null);
  return { rows, values, least: Math.min(...known), most: Math.max(...known) };
}

/**
 * Paint a map: orange for, blue against; deeper is more.
 * @param {HTMLCanvasElement} canvas @param {Heat | null} map
 */
export function paintMap(canvas, map) {
  canvas.hidden = !map;
  canvas.parentElement?.classList.toggle('mapped', Boolean(map));
  if (!map) return;
  canvas.width = map.rows;
  canvas.height = map.rows;
  const strongest = Math.max(FAINT, map.most, -map.least);
  const data = new ImageData(map.rows, map.rows);
  map.values.forEach((value, i) => {
    if (value === null) return;
    const share = Math.abs(value) / strongest;
    data.data.set([...(value >= 0 ? [255, 150, 20] : [60, 150, 255]), Math.round(235 * share ** 0.8)], 4 * i);
  });
  canvas.getContext('2d')?.putImageData(data, 0, 0);
}

// What models say, drawn: a bar for each, and how the score went along the last drag.

import { svg } from './stage.js';

const LIMIT = 8;

/** @param {number} logOdds */
export const probabilityOf = (logOdds) => 1 / (1 + Math.exp(-logOdds));

/** A probability in whole per cent, never quite 0 or 100. @param {number} logOdds @param {string} language */
export function percent(logOdds, language) {
  const value = 100 * probabilityOf(logOdds);
  const space = language === 'de' ? '\u202f' : '\u202f';
  if (value > 99.5) return `>\u202f99${space}%`;
  if (value < 0.5) return `<\u202f1${space}%`;
  return `${Math.round(value)}${space}%`;
}

/** @param {number} logOdds @param {string} language */
export function signed(logOdds, language) {
  const text = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(Math.abs(logOdds));
  return `${logOdds < 0 ? '−' : '+'}${text}`;
}

/** A bar from the middle to where the score is. @param {HTMLElement} bar @param {number} logOdds */
export function showBar(bar, logOdds) {
  const share = Math.max(-1, Math.min(1, logOdds / LIMIT)) / 2;
  bar.style.setProperty('--from', `${50 + 100 * Math.min(share, 0)}%`);
  bar.style.setProperty('--to', `${50 - 100 * Math.max(share, 0)}%`);
  bar.style.setProperty('--tip', `${50 + 100 * share}%`);
}

/**
 * The strip.
 * @param {HTMLElement} holder
 * @param {{distance: number, scores: (number | undefined)[]}[]} trace in the order in which it was drawn
 * @param {{models: string[], words: {distance: string, yes: string, no: string, start: string}}} said
 */
export function showStrip(holder, trace, said) {
  const width = Math.max(holder.clientWidth, 240);
  const [height, left, right, top, bottom] = [168, 38, 12, 10, 26];
  const scores = trace.flatMap((point) => point.scores.filter((score) => score !== undefined));
  const reach = Math.max(4, ...scores.map(Math.abs)) * 1.08;
  const far = Math.max(40, ...trace.map((point) => point.distance));
  const x = (/** @type {number} */ distance) => left + (distance / far) * (width - left - right);
  const y = (/** @type {number} */ score) => top + ((reach - score) / (2 * reach)) * (height - top - bottom);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': said.words.distance });
  const text = (/** @type {number} */ at, /** @type {number} */ down, /** @type {string} */ content, /** @type {string} */ anchor) => {
    const element = svg('text', { x: at, y: down, 'text-anchor': anchor });
    element.textContent = content;
    root.append(element);
  };
  root.append(svg('rect', { x: left, y: top, width: width - left - right, height: y(0) - top, class: 'upper' }));
  const tick = reach > 12 ? 10 : reach > 6 ? 5 : 2;
  for (const score of [-tick, 0, tick]) {
    root.append(svg('line', { x1: left, x2: width - right, y1: y(score), y2: y(score), class: score ? 'rule' : 'zero' }));
    text(left - 6, y(score) + 4, `${score < 0 ? '−' : score ? '+' : ''}${Math.abs(score)}`, 'end');
  }
  const nice = far > 200 ? 100 : far > 80 ? 50 : 20;
  for (let distance = 0; distance <= far; distance += nice) text(x(distance), height - 8, String(distance), distance ? 'middle' : 'start');
  said.models.forEach((_, model) => {
    const points = trace.filter((point) => point.scores[model] !== undefined);
    const line = points.map((point) => `${x(point.distance).toFixed(1)},${y(/** @type {number} */ (point.scores[model])).toFixed(1)}`);
    if (!line.length) return;
    root.append(svg('polyline', { points: line.join(' '), class: `curve model-${model % 4}` }));
    const [cx, cy] = line[line.length - 1].split(',');
    root.append(svg('circle', { cx, cy, r: 4.5, class: `tip model-${model % 4}` }));
  });
  text(width - right - 4, top + 13, said.words.yes, 'end');
  text(width - right - 4, height - bottom - 6, said.words.no, 'end');
  holder.replaceChildren(root);
}

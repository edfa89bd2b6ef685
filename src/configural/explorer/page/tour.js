// Five short stops, each with a question before and a sentence after. What is shown is looked for in the networks at
// hand, so that the sentences say what these ones do.

import { percent } from './charts.js';
import { drawnAtRandom, moved, wholeObject } from './state.js';

/** @typedef {import('./main.js').App} App */
/** @typedef {{key: string, model: number, also?: number, values: Record<string, string | number>, before: () => Promise<void>, after: () => Promise<void>}} Stop */

const TRIED = 24;
const ROUNDS = 5;

/** @param {number} far @returns {[number, number]} */
const someWay = (far) => [far * (2 * Math.random() - 1), far * (2 * Math.random() - 1)];

/** The position of the lowest score. @param {number[]} scores */
const lowest = (scores) => scores.indexOf(Math.min(...scores));

/**
 * The stops for the networks at hand.
 * @param {App} app
 * @returns {Promise<Stop[]>}
 */
export async function tourStops(app) {
  const { material } = app;
  const [first, second] = [0, Math.min(1, app.models.length - 1)];
  const whole = wholeObject(material, material.names[0]);
  await app.have(whole);
  const side = material.exemplar(whole.exemplar).side;
  const far = Math.round(side * 0.13);
  const ways = [[1, 0], [-1, 0], [0, 1], [0, -1]].map(([r, c]) => [r * far, c * far]);
  const kinds = material.scheme.part_kinds;

  const alone = kinds.flatMap((slot) => ways.map((way) => ({ slot, way })));
  const ofOne = await app.scores(first, alone.map(({ slot, way }) => moved(material, whole, [slot], way[0], way[1])));
  const part = alone[lowest(ofOne)];
  const together = ways.map(([r, c]) => moved(material, whole, kinds, r * 1.2, c * 1.2));
  const ofAll = await app.scores(first, together);
  const others = second === first ? ofAll : await app.scores(second, together);
  // The move that the first network minds and the second does not.
  const all = ways[lowest(ofAll.map((score, i) => score - (second === first ? 0 : others[i])))].map((n) => n * 1.2);

  // Some at random, then the best of them with its parts moved a little, several times.
  let best = whole;
  let highest = -Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const jostled = () => kinds.reduce((state, slot) => moved(material, state, [slot], ...someWay(0.06 * side)), best);
    const some = Array.from({ length: TRIED }, () => (round ? jostled() : drawnAtRandom(material, whole, true)));
    const scores = await app.scores(first, some);
    if (Math.max(...scores) > highest) {
      highest = Math.max(...scores);
      best = some[scores.indexOf(highest)];
    }
  }

  // What the other network says of the same is told as well.
  const also = second === first ? undefined : second;
  const show = (/** @type {any} */ state, /** @type {string[]} */ slots) => () => app.present(state, slots);
  /** @type {Stop[]} */
  const stops = [
    { key: 'tour_1', model: first, values: {}, before: show(whole, []), after: async () => {} },
    {
      key: 'tour_2', model: first, also, values: { slot: part.slot, distance: far },
      before: show(whole, [part.slot]), after: () => app.glide([part.slot], part.way[0], part.way[1]),
    },
    { key: 'tour_3', model: first, values: {}, before: show(whole, kinds), after: () => app.glide(kinds, all[0], all[1]) },
    { key: 'tour_5', model: first, also, values: { tried: TRIED * ROUNDS }, before: show(best, []), after: async () => {} },
  ];
  if (second !== first) {
    stops.splice(3, 0, {
      key: 'tour_4', model: second, values: {}, before: show(whole, kinds), after: () => app.glide(kinds, all[0], all[1]),
    });
  }
  return stops;
}

export class Tour {
  /** @param {App} app @param {HTMLElement} panel */
  constructor(app, panel) {
    this.app = app;
    this.panel = panel;
    this.step = 0;
    /** @type {Stop[]} */
    this.stops = [];
    /** What is asked at this stop. */
    this.asked = () => /** @type {string[]} */ ([]);
  }

  async begin() {
    this.step = 0;
    this.app.panel(this.panel, () => [this.app.texts.say('tour_search')], () => []);
    this.app.hideAnswers(true);
    this.stops = await tourStops(this.app);
    if (this.app.mode === 'tour') await this.ask();
  }

  /** @param {Stop} stop */
  words(stop) {
    const { texts, material, models } = this.app;
    const [other, name] = material.scheme.class_names.map((one) => texts.name(one));
    const model = models[stop.model];
    return {
      ...stop.values, part: texts.name(String(stop.values.slot ?? '')), other, name, object: texts.name(material.scheme.name), model: model.name,
      condition: model.trained_on || '…',
    };
  }

  async ask() {
    const stop = this.stops[this.step];
    const step = { step: this.step + 1, steps: this.stops.length };
    this.app.hideAnswers(true);
    await stop.before();
    this.asked = () => [this.app.texts.say('tour_step', step), this.app.texts.say(`${stop.key}_q`, this.words(stop))];
    this.app.panel(this.panel, this.asked, () => [
      { label: this.words(stop).name, act: () => this.reveal(true) },
      { label: this.words(stop).other, act: () => this.reveal(false) },
    ]);
  }

  /** @param {boolean} guess */
  async reveal(guess) {
    const stop = this.stops[this.step];
    const [before] = await this.app.scores(stop.model, [this.app.state]);
    this.app.panel(this.panel, this.asked, () => []);
    this.app.hideAnswers(false);
    await stop.after();
    const [after] = await this.app.scores(stop.model, [this.app.state]);
    const others = stop.also === undefined ? [] : await this.app.scores(stop.also, [this.app.state]);
    if (this.app.mode !== 'tour') return;
    const last = this.step === this.stops.length - 1;
    const say = (/** @type {string} */ key, /** @type {any} */ words = {}) => this.app.texts.say(key, words);
    this.app.panel(
      this.panel,
      () => {
        const { language, models } = this.app;
        const words = { ...this.words(stop), before: percent(before, language), after: percent(after, language) };
        const also = others.map((score) => say('tour_other', { model: models[stop.also ?? 0].name, after: percent(score, language) }));
        return [
          say(guess === (after > 0) ? 'tour_right' : 'tour_wrong'),
          [say(`${stop.key}_${after > 0 ? 'yes' : 'no'}`, words), ...also].join(' '),
        ];
      },
      () => (last
        ? [{ label: say('tour_end'), act: () => this.app.enter('free') }, { label: say('tour_again'), act: () => this.begin(), plain: true }]
        : [{ label: say('tour_next'), act: () => this.next() }]),
    );
  }

  async next() {
    this.step += 1;
    await this.ask();
  }
}

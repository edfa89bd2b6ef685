// The class game: the visitor guesses before the networks are seen, and both are counted.

import { drawnAtRandom } from './state.js';

/** @typedef {import('./main.js').App} App */

export class Guessing {
  /** @param {App} app @param {HTMLElement} panel */
  constructor(app, panel) {
    this.app = app;
    this.panel = panel;
    this.rounds = 0;
    this.right = 0;
    this.ofModels = app.models.map(() => 0);
    this.scrambled = false;
  }

  restart() {
    this.rounds = 0;
    this.right = 0;
    this.ofModels = this.app.models.map(() => 0);
  }

  async begin() {
    const { app } = this;
    const { material } = app;
    this.scrambled = Math.random() < 0.5;
    const exemplar = material.names[Math.floor(Math.random() * material.names.length)];
    app.hideAnswers(true);
    await material.have([exemplar]);
    await app.present(drawnAtRandom(material, { ...app.state, exemplar, flip: false }, this.scrambled), []);
    const say = (/** @type {string} */ key) => app.texts.say(key, { object: app.texts.name(material.scheme.name) });
    const choice = (/** @type {string} */ key, /** @type {boolean} */ yes) => ({ label: say(key), act: () => this.reveal(yes) });
    app.panel(this.panel, () => [this.tally(), say('guess_q')], () => [choice('guess_yes', true), choice('guess_no', false)]);
  }

  /** @param {boolean} guess */
  async reveal(guess) {
    const { app } = this;
    const scores = await Promise.all(app.models.map(async (_, i) => (await app.scores(i, [app.state]))[0]));
    if (app.mode !== 'guess') return;
    this.rounds += 1;
    this.right += Number(guess !== this.scrambled);
    scores.forEach((score, i) => {
      this.ofModels[i] += Number(score > 0 !== this.scrambled);
    });
    app.hideAnswers(false);
    const truth = () => app.texts.say(this.scrambled ? 'guess_truth_no' : 'guess_truth_yes', { object: app.texts.name(app.material.scheme.name) });
    app.panel(this.panel, () => [this.tally(), truth()], () => [
      { label: app.texts.say('guess_next'), act: () => this.begin() },
      {
        label: app.texts.say('guess_restart'),
        plain: true,
        act: () => {
          this.restart();
          return this.begin();
        },
      },
    ]);
  }

  tally() {
    const { texts, models } = this.app;
    const one = (/** @type {string} */ name, /** @type {number} */ right) =>
      `${name}: ${texts.say('guess_tally', { right, of: this.rounds })}`;
    return [one(texts.say('you'), this.right), ...models.map((model, i) => one(model.name, this.ofModels[i]))].join('   ');
  }
}

// The page: it holds what is arranged, and passes every change on to the stage, the models and the link.

import { BrowserModels, ServerModels } from './asking.js';
import { percent, probabilityOf, showBar, showStrip, signed } from './charts.js';
import { drawn } from './drawing.js';
import { Guessing } from './guessing.js';
import { evidenceMap, occlusionMap, paintMap, positionMap } from './maps.js';
import { Material } from './material.js';
import { OwnImage } from './own_image.js';
import { asCanvas, asCsv, asPng, download, shareCard, tableRow } from './saving.js';
import { Stage } from './stage.js';
import {
  broughtInside, drawnAtRandom, exemplarsOf, fromLink, moved, posed, swapped, toLink, verdict, wholeObject, withParts,
} from './state.js';
import { Texts } from './texts.js';
import { Tour } from './tour.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {import('./asking.js').Item} Item
 * @typedef {import('./asking.js').Reply} Reply
 * @typedef {{name: string, image_size: number, trained_on: string, accuracy: number | null, network: any}} Model
 * @typedef {{label: string, act: () => void, plain?: boolean}} Choice
 */

const FORMAT = 1;
const TURN = 15;
const GROWTH = 1.1;
const UNDONE_MOST = 200;
const SESSION_MOST = 5000;
const IDLE = 350;

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/** @param {string} name @param {Record<string, any>} [properties] @param {(Node | string)[]} [children] @returns {any} */
function make(name, properties = {}, children = []) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

export class App {
  /** @param {any} bundle @param {Material} material */
  constructor(bundle, material) {
    this.bundle = bundle;
    this.material = material;
    /** @type {Model[]} */
    this.models = bundle.models;
    /** whether no server responds */
    this.inBrowser = this.models.every((model) => model.network);
    this.texts = new Texts(Texts.preferred());
    /** @type {'tour' | 'free' | 'guess'} */
    this.mode = 'free';
    this.state = wholeObject(material, material.names[0]);
    /** @type {string[]} */
    this.selection = [];
    /** @type {State[]} */
    this.before = [];
    /** @type {State[]} */
    this.after = [];
    /** @type {{distance: number, scores: (number | undefined)[]}[]} */
    this.trace = [];
    /** @type {{base: State, at: number} | null} */
    this.drag = null;
    /** @type {(Reply | undefined)[]} */
    this.replies = [];
    /** @type {number[]} which turn each reply is to */
    this.answered = [];
    this.settled = false;
    this.sayPanel = () => {};
    /** @type {Record<string, string | number>[]} */
    this.session = [];
    this.covered = false;
    this.done = new Set();
    this.turnNumber = 0;
    this.drawing = drawn(material, this.state);
    /** @type {BrowserModels | ServerModels | null} */
    this.asker = null;
    /** @type {{key: string, base: State, last: State} | null} */
    this.walk = null;
    /** @type {Map<string, (() => string) | null>} what stands in an element, in the language chosen */
    this.told = new Map();
    /** @type {any[]} what the cards are made of */
    this.cards = [];
    this.stage = new Stage(byId('stage'), material, {
      select: (slots) => this.select(slots),
      begin: () => this.beginDrag(),
      drag: (rows, columns) => this.dragTo(rows, columns),
      pose: (change) => this.drag && this.show(change(this.drag.base), { distance: this.nextDistance() }),
      end: () => this.endDrag(),
      step: (rows, columns) => this.step(rows, columns),
      key: (key) => this.key(key),
    });
    this.tour = new Tour(this, byId('panel'));
    this.guessing = new Guessing(this, byId('panel'));
    this.ownImage = new OwnImage(this);
  }

  get language() {
    return this.texts.language;
  }

  // What is shown

  /** @param {State} state */
  have(state) {
    return this.material.have(exemplarsOf(state));
  }

  /**
   * Show a state and ask about it.
   * @param {State} state
   * @param {{distance?: number}} [of] how far along a drag
   */
  show(state, of = {}) {
    this.state = state;
    this.turnNumber += 1;
    this.drawing = drawn(this.material, state);
    this.stage.show(this.drawing, state, this.selection);
    const item = { state, drawing: this.drawing, distance: of.distance, number: this.turnNumber };
    this.asker?.ask(item, (model, reply, asked) => this.take(model, reply, asked));
    this.settled = false;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), IDLE);
    this.clearMaps();
    this.controls();
  }

  /** Show a state that a click asked for; it can be undone. @param {State} state */
  async change(state) {
    await this.have(state);
    const inside = broughtInside(this.material, state);
    if (!inside) {
      this.note('does_not_fit');
      return;
    }
    this.remember(this.state);
    this.trace = [];
    this.show(inside);
    this.strip();
  }

  /** Show a state that the tour or the game has chosen. @param {State} state @param {string[]} slots */
  async present(state, slots) {
    this.selection = slots;
    await this.change(state);
  }

  /** @param {State} state */
  remember(state) {
    this.before.push(state);
    if (this.before.length > UNDONE_MOST) this.before.shift();
    this.after = [];
  }

  /** @param {string[]} slots */
  select(slots) {
    this.selection = slots;
    this.stage.selection = slots;
    this.stage.outline();
    this.controls();
    if (byId('map').value === 'positions') this.settle();
  }

  // Dragging

  beginDrag() {
    this.drag = { base: this.state, at: 0 };
    this.trace = [];
    this.show(this.state, { distance: 0 });
  }

  nextDistance() {
    if (this.drag) this.drag.at += 1;
    return this.drag?.at ?? 0;
  }

  /** @param {number} rows @param {number} columns */
  dragTo(rows, columns) {
    if (!this.drag) return;
    const state = moved(this.material, this.drag.base, this.selection, rows, columns);
    const distance = away(this.drag.base, state, this.selection);
    if (state !== this.state) this.show(state, { distance });
  }

  endDrag() {
    if (this.drag && JSON.stringify(this.drag.base) !== JSON.stringify(this.state)) this.remember(this.drag.base);
    this.drag = null;
    this.controls();
  }

  /** One arrow key: several in a row are one drag. @param {number} rows @param {number} columns */
  step(rows, columns) {
    if (!this.selection.length) this.select([...this.material.scheme.part_kinds]);
    const key = JSON.stringify(this.selection);
    if (!this.walk || this.walk.key !== key || this.walk.last !== this.state) {
      this.remember(this.state);
      this.walk = { key, base: this.state, last: this.state };
      this.trace = [];
      this.show(this.state, { distance: 0 });
    }
    const state = moved(this.material, this.state, this.selection, rows, columns);
    this.walk.last = state;
    this.show(state, { distance: away(this.walk.base, state, this.selection) });
  }

  /** Move parts as if by hand. @param {string[]} slots @param {number} rows @param {number} columns */
  async glide(slots, rows, columns) {
    const base = this.state;
    this.remember(base);
    this.trace = [];
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const steps = calm ? 6 : 30;
    for (let i = 0; i <= steps; i += 1) {
      const share = (1 - Math.cos((Math.PI * i) / steps)) / 2;
      const state = moved(this.material, base, slots, Math.round(rows * share), Math.round(columns * share));
      const distance = away(base, state, slots);
      if (calm) {
        // Without motion the curve is drawn all the same.
        await Promise.all(this.models.map(async (_, model) => {
          const [score] = await this.scores(model, [state]);
          this.point(distance, model, score);
        }));
      } else {
        this.show(state, { distance });
        await new Promise((resolve) => setTimeout(resolve, 45));
      }
    }
    if (calm) this.show(moved(this.material, base, slots, Math.round(rows), Math.round(columns)));
    this.strip();
  }

  // What models say

  /** @param {number} model @param {Reply} reply @param {any} asked */
  take(model, reply, asked) {
    this.replies[model] = reply;
    this.card(model, reply);
    if (asked.distance !== undefined) this.point(asked.distance, model, reply.logOdds);
    this.answered[model] = asked.number;
    this.conclude();
  }

  /** @param {number} distance @param {number} model @param {number} score */
  point(distance, model, score) {
    let point = this.trace.filter((one) => one.distance === distance).pop();
    if (!point || point.scores[model] !== undefined) {
      point = { distance, scores: [] };
      this.trace.push(point);
    }
    point.scores[model] = score;
    cancelAnimationFrame(this.frame ?? 0);
    this.frame = requestAnimationFrame(() => this.strip());
  }

  /** @param {number} model @param {State[]} states @returns {Promise<number[]>} log-odds */
  async scores(model, states) {
    await Promise.all(states.map((state) => this.have(state)));
    const items = states.map((state) => ({ state, drawing: drawn(this.material, state) }));
    const replies = await this.asker?.askLater(model, items, () => true);
    if (!replies) throw new Error('no responses');
    return replies.map((reply) => reply.logOdds);
  }

  /** What is done when nothing changes for a moment. */
  settle() {
    history.replaceState(null, '', this.isOwn() ? '#' : `#s=${toLink(this.material, this.state)}`);
    this.settled = true;
    this.conclude();
  }

  /** Whether all models have replied to what is shown, and not only to what was. */
  isAnswered() {
    return this.models.every((_, model) => this.answered[model] === this.turnNumber);
  }

  /** What needs the replies to what is shown; slow models give them later. */
  conclude() {
    if (!this.settled || !this.isAnswered()) return;
    if (!this.isOwn() && this.session.length < SESSION_MOST) {
      const said = Object.fromEntries(this.models.map((model, i) => [`log_odds ${model.name}`, this.replies[i]?.logOdds ?? '']));
      const last = this.session[this.session.length - 1];
      const row = { ...tableRow(this.material, this.state, this.session.length), ...said };
      if (!last || JSON.stringify({ ...last, index: 0, file: '' }) !== JSON.stringify({ ...row, index: 0, file: '' })) this.session.push(row);
    }
    this.check();
    this.maps();
  }

  /** Whether the visitor's own image is in what is shown, so that nobody else could draw it. */
  isOwn() {
    return exemplarsOf(this.state).some((name) => this.material.own.includes(name));
  }

  /** The visitor's own image. @param {import('./material.js').Exemplar} exemplar */
  async receive(exemplar) {
    this.material.add(exemplar);
    this.speak();
    if (this.mode !== 'free') await this.enter('free');
    await this.change(wholeObject(this.material, exemplar.name));
    this.note(this.inBrowser ? 'own_ready' : 'own_ready_sent');
  }

  // Maps

  clearMaps() {
    for (const { map, scale } of this.cards) {
      paintMap(map, null);
      scale.textContent = '';
    }
  }

  async maps() {
    const kind = byId('map').value;
    const number = this.turnNumber;
    const [, name] = this.classNames();
    const slot = this.selection[0];
    const one = this.selection.length === 1;
    const how = byId('map-how');
    const words = { name, part: one ? this.texts.name(slot) : '' };
    document.body.classList.toggle('mapping', kind !== 'none');
    if (kind === 'none') {
      how.textContent = '';
      return;
    }
    if (kind === 'positions' && !one) {
      how.textContent = this.texts.say('map_positions_select');
      return;
    }
    how.textContent = `${this.texts.say(`map_${kind}_how`, words)} ${kind === 'evidence' ? '' : this.texts.say('map_busy')}`;
    if (!this.isAnswered()) return; // and is called again then
    const wanted = () => number === this.turnNumber && byId('map').value === kind && (kind !== 'positions' || slot === this.selection[0]);
    let any = false;
    await Promise.all(
      this.models.map(async (_, model) => {
        const reply = /** @type {Reply} */ (this.replies[model]);
        const item = { state: this.state, drawing: this.drawing };
        let map = null;
        if (kind === 'evidence') map = evidenceMap(reply);
        if (kind === 'occlusion') map = await occlusionMap(this.asker, model, item, reply.logOdds, wanted);
        if (kind === 'positions') map = await positionMap(this.asker, model, this.material, this.state, slot, wanted);
        if (!map || !wanted()) return;
        any = true;
        paintMap(this.cards[model].map, map);
        const [up, down] = [map.most, -map.least].map((value) => signed(Math.max(0, value), this.language).slice(1));
        this.cards[model].scale.textContent = this.texts.say(`map_${kind}_scale`, { ...words, up, down });
      }),
    );
    if (!wanted()) return;
    how.textContent = this.texts.say(kind === 'evidence' && !any ? 'map_no_evidence' : `map_${kind}_how`, words);
  }

  // The page around it

  classNames() {
    return this.material.scheme.class_names.map((name) => this.texts.name(name));
  }

  /** Everything that is said, in the language chosen. */
  speak() {
    const { texts, material } = this;
    const object = texts.name(material.scheme.name);
    document.documentElement.lang = this.language;
    for (const element of document.querySelectorAll('[data-text]')) {
      element.textContent = texts.say(/** @type {HTMLElement} */ (element).dataset.text ?? '', { object });
    }
    for (const element of document.querySelectorAll('[data-label]')) {
      const said = texts.say(/** @type {HTMLElement} */ (element).dataset.label ?? '', { object });
      element.setAttribute('aria-label', said);
      if (element.tagName === 'BUTTON') element.setAttribute('title', said);
    }
    for (const [id, say] of this.told) this.tell(id, say);
    document.title = `${texts.say('title')} · configural`;
    byId('exemplar-label').textContent = capital(object);
    byId('keys').textContent = texts.say('keys', { count: material.scheme.part_kinds.length });
    byId('foot').textContent = [`configural ${this.bundle.version}`, this.bundle.source, this.bundle.licence].filter(Boolean).join(' · ');
    const fill = (/** @type {string} */ id, /** @type {[string, string][]} */ options) => {
      const select = byId(id);
      const kept = select.value;
      select.replaceChildren(...options.map(([value, label]) => make('option', { value, textContent: label })));
      select.value = kept || options[0][0];
    };
    const names = /** @type {[string, string][]} */ (material.names.map((name) => {
      const number = material.own.indexOf(name) + 1;
      return [name, number ? texts.say('own_named', { number }) : name];
    }));
    fill('exemplar', names);
    fill('donor', names);
    fill('canvas', ['own', 'skin', 'grey'].map((one) => [one, texts.say(`canvas_${one}`)]));
    fill('placement', ['left', 'middle', 'right'].map((one) => [one, texts.say(`placement_${one}`)]));
    fill('map', ['none', 'occlusion', 'evidence', 'positions'].map((one) => [one, texts.say(`map_${one}`)]));
    const kinds = material.scheme.part_kinds;
    const groups = [...kinds.map((kind) => [kind, [kind]]), ...Object.entries(material.scheme.groups), ['all', kinds]];
    byId('selecting').replaceChildren(
      ...groups.map(([name, slots]) => {
        const label = name === 'all' ? texts.say('all') : texts.name(/** @type {string} */ (name));
        const button = make('button', { type: 'button', textContent: label, className: 'chip' });
        button.dataset.slots = JSON.stringify(slots);
        button.addEventListener('click', (/** @type {MouseEvent} */ event) => this.select([...new Set([...(event.shiftKey ? this.selection : []), .../** @type {string[]} */ (slots)])]));
        button.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => event.key.startsWith('Arrow') && this.stage.key(event));
        return button;
      }),
    );
    this.makeCards();
    this.listChallenges();
    this.controls();
    this.strip();
  }

  makeCards() {
    const { texts } = this;
    const [other, name] = this.classNames();
    this.cards = this.models.map((model, i) => {
      const sees = texts.say('sees', { size: model.image_size });
      const canvas = make('canvas', { className: 'seen', width: model.image_size, height: model.image_size });
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', sees);
      const map = make('canvas', { className: 'map', hidden: true });
      const scale = make('p', { className: 'scale quiet' });
      const bar = make('div', { className: 'bar' }, [make('i'), make('b')]);
      const value = make('strong', { textContent: '…' });
      const says = make('p', { className: 'says', textContent: ' ' });
      const score = make('span', { className: 'score' });
      const about = [
        model.trained_on && texts.say('trained', { condition: model.trained_on }),
        model.accuracy !== null && texts.say('tested', { accuracy: new Intl.NumberFormat(this.language, { style: 'percent', maximumFractionDigits: 1 }).format(model.accuracy) }),
      ].filter(Boolean).join(' · ');
      const element = make('article', { className: `card model-${i % 4}` }, [
        make('div', { className: 'look' }, [make('div', { className: 'view', title: sees }, [canvas, map]), scale]),
        make('div', { className: 'said' }, [
          make('h3', {}, [make('span', { className: 'dot' }), model.name]),
          make('p', { className: 'quiet about', textContent: about }),
          make('p', { className: 'value' }, [make('span', { className: 'quiet', textContent: texts.say('probability', { name }) }), value, says]),
          bar,
          make('p', { className: 'ends quiet' }, [make('span', { textContent: other }), score, make('span', { textContent: name })]),
        ]),
      ]);
      return { element, canvas, map, scale, bar, value, says, score };
    });
    byId('cards').replaceChildren(...(this.cards.length ? this.cards.map((card) => card.element) : [make('p', { textContent: texts.say('no_models') })]));
    this.replies.forEach((reply, model) => reply && this.card(model, reply));
  }

  /** @param {number} model @param {Reply} reply */
  card(model, reply) {
    const card = this.cards[model];
    const names = this.classNames();
    card.value.textContent = percent(reply.logOdds, this.language);
    card.says.textContent = this.texts.say('says', { name: names[Number(reply.logOdds > 0)] });
    card.score.textContent = `${this.texts.say('log_odds')} ${signed(reply.logOdds, this.language)}`;
    card.element.classList.toggle('yes', reply.logOdds > 0);
    showBar(card.bar, reply.logOdds);
  }

  strip() {
    const figure = byId('strip');
    const empty = this.trace.length < 2 || this.covered;
    figure.classList.toggle('none', empty);
    if (empty) {
      figure.querySelector('.chart').replaceChildren();
      return;
    }
    const [no, yes] = this.classNames();
    const words = { distance: this.texts.say('distance'), yes, no, start: '' };
    showStrip(figure.querySelector('.chart'), this.trace, { models: this.models.map((model) => model.name), words });
  }

  /** Buttons and lists as the state has them. */
  controls() {
    const { state, selection } = this;
    for (const chip of byId('selecting').children) {
      const slots = JSON.parse(chip.dataset.slots);
      chip.setAttribute('aria-pressed', String(slots.length === selection.length && slots.every((/** @type {string} */ slot) => selection.includes(slot))));
    }
    const act = (/** @type {string} */ name) => /** @type {HTMLButtonElement} */ (document.querySelector(`[data-do="${name}"]`));
    for (const name of ['turn_left', 'turn_right', 'smaller', 'larger', 'remove']) act(name).disabled = !selection.length;
    act('swap').disabled = selection.length !== 2;
    act('swap').title = selection.length === 2 ? '' : this.texts.say('swap_hint');
    act('undo').disabled = !this.before.length;
    act('redo').disabled = !this.after.length;
    act('flip').setAttribute('aria-pressed', String(state.flip));
    const some = state.parts.filter((part) => selection.includes(part.slot));
    act('remove').textContent = this.texts.say(some.length && some.every((part) => !part.shown) ? 'put_back' : 'remove');
    byId('donor').disabled = !selection.length;
    byId('donor').value = some.length ? some[0].donor : state.exemplar;
    byId('exemplar').value = state.exemplar;
    byId('canvas').value = state.canvas;
    byId('placement').value = state.placement;
    this.cards.forEach((card, i) => {
      const size = this.models[i].image_size;
      card.canvas.getContext('2d').drawImage(asCanvas(this.drawing.image(size), size), 0, 0);
    });
  }

  /** @param {string} key */
  key(key) {
    const kinds = this.material.scheme.part_kinds;
    const number = Number(key);
    if (key !== ' ' && Number.isInteger(number) && number <= kinds.length) this.select(number ? [kinds[number - 1]] : [...kinds]);
    else if (key === '[') this.act('turn_left');
    else if (key === ']') this.act('turn_right');
    else if (key === '+' || key === '=') this.act('larger');
    else if (key === '-') this.act('smaller');
    else if (key === 'Delete' || key === 'Backspace') this.act('remove');
    else if (key === 'z' || key === 'Z') this.act(key === 'z' ? 'undo' : 'redo');
    else if (key === 'Escape') this.select([]);
    else return false;
    return true;
  }

  /** @param {string} name of a button */
  async act(name) {
    const { material, state, selection } = this;
    const back = (/** @type {State[]} */ from, /** @type {State[]} */ to) => {
      const found = from.pop();
      if (!found) return;
      to.push(this.state);
      this.trace = [];
      this.show(found);
      this.strip();
    };
    /** @type {Record<string, () => any>} */
    const acts = {
      turn_left: () => this.change(posed(material, state, selection, -TURN, 1)),
      turn_right: () => this.change(posed(material, state, selection, TURN, 1)),
      smaller: () => this.change(posed(material, state, selection, 0, 1 / GROWTH)),
      larger: () => this.change(posed(material, state, selection, 0, GROWTH)),
      swap: () => this.change(swapped(state, selection[0], selection[1])),
      remove: () => {
        const some = state.parts.filter((part) => selection.includes(part.slot));
        return this.change(withParts(state, selection, () => ({ shown: some.every((part) => !part.shown) })));
      },
      flip: () => this.change({ ...state, flip: !state.flip }),
      scramble: () => this.change(drawnAtRandom(material, state, true)),
      reset: () => { this.selection = []; return this.change(wholeObject(material, state.exemplar)); },
      undo: () => back(this.before, this.after),
      redo: () => back(this.after, this.before),
      save_image: () => this.saveImage(),
      save_row: () => (this.isOwn() ? this.note('own_not_shared') : this.saveRows([tableRow(material, state)], 'stimulus.csv')),
      save_session: () => {
        if (this.isOwn()) this.note('own_not_shared');
        if (this.session.length || !this.isOwn()) this.saveRows(this.session.length ? this.session : [tableRow(material, state)], 'session.csv');
      },
      save_card: () => this.saveCard(),
      copy_link: () => this.copyLink(),
      own: () => this.ownImage.open(),
    };
    await acts[name]();
  }

  async saveImage() {
    for (const size of new Set(this.models.length ? this.models.map((model) => model.image_size) : [224])) {
      download(await asPng(asCanvas(this.drawing.image(size), size)), `stimulus-${size}.png`);
    }
  }

  /** @param {Record<string, string | number>[]} rows @param {string} name */
  saveRows(rows, name) {
    const columns = Object.keys(rows[0]);
    download(asCsv([columns, ...rows.map((row) => columns.map((column) => row[column]))]), name);
  }

  async saveCard() {
    const { side } = this.drawing.scene;
    const [, name] = this.classNames();
    const bars = this.models.map((model, i) => {
      const score = this.replies[i]?.logOdds ?? 0;
      return { name: model.name, text: `P(${name}) ${percent(score, this.language)}`, share: probabilityOf(score) };
    });
    const line = this.texts.say(bars.length > 1 ? 'card_line' : 'card_line_one', {
      object: this.texts.name(this.material.scheme.name), count: bars.length,
    });
    const card = shareCard(asCanvas(this.drawing.large(), side), bars, { line, foot: this.texts.say('card_foot') });
    download(await asPng(card), 'card.png');
  }

  async copyLink() {
    this.settle();
    if (this.isOwn()) {
      this.note('own_not_shared');
      return;
    }
    try {
      await navigator.clipboard.writeText(location.href);
      this.note('copied');
    } catch {
      this.note('no_copy');
    }
  }

  /** Say what is said again when the language changes. @param {string} id @param {(() => string) | null} say */
  tell(id, say) {
    this.told.set(id, say);
    byId(id).textContent = say ? say() : '';
  }

  /** @param {string} key */
  note(key) {
    clearTimeout(this.noted);
    this.tell('note', () => this.texts.say(key));
    this.noted = setTimeout(() => this.tell('note', null), 6000);
  }

  /** @param {string} key or nothing @param {Record<string, string>} [values] */
  problem(key, values) {
    byId('problem').hidden = !key;
    this.tell('problem', key ? () => this.texts.say(key, { object: this.texts.name(this.material.scheme.name), ...values }) : null);
  }

  /** What went wrong at the server. @param {string} problem as `ServerModels.send` has it */
  trouble(problem) {
    return problem === 'server' ? this.texts.say('no_server') : this.texts.say('server_said', { problem });
  }

  // Challenges

  /** @returns {{id: string, label: string, met: (wrong: boolean[]) => boolean}[]} */
  challenges() {
    const { texts, models } = this;
    const names = models.map((model) => model.name);
    if (models.length < 2) {
      return names.map((one) => ({ id: 'alone', label: texts.say('challenge_alone', { one }), met: (wrong) => wrong[0] }));
    }
    const [one, other] = names;
    return [
      { id: 'first', label: texts.say('challenge_one', { one, other }), met: (wrong) => wrong[0] && !wrong[1] },
      { id: 'second', label: texts.say('challenge_one', { one: other, other: one }), met: (wrong) => wrong[1] && !wrong[0] },
      { id: 'all', label: texts.say('challenge_both'), met: (wrong) => wrong.every(Boolean) },
    ];
  }

  listChallenges() {
    const object = this.texts.name(this.material.scheme.name);
    byId('challenge-how').textContent = this.texts.say('challenge_how', { object });
    byId('challenges').querySelector('ul').replaceChildren(
      ...this.challenges().map(({ id, label }) => {
        const done = this.done.has(id);
        return make('li', { className: done ? 'done' : '' }, [label, ...(done ? [` ✓ ${this.texts.say('challenge_done')}`] : [])]);
      }),
    );
  }

  check() {
    const { state, replies } = this;
    const truth = verdict(state);
    if (this.mode !== 'free' || truth === null || this.isOwn() || replies.filter(Boolean).length < this.models.length) return;
    const wrong = replies.map((reply) => reply !== undefined && reply.logOdds > 0 !== truth);
    const fresh = this.challenges().filter(({ id, met }) => !this.done.has(id) && met(wrong));
    if (!fresh.length) return;
    const ids = fresh.map(({ id }) => id);
    for (const id of ids) this.done.add(id);
    clearTimeout(this.noted);
    this.tell('note', () => this.challenges().filter(({ id }) => ids.includes(id)).map(({ label }) => `✓ ${label}`).join(' '));
    this.listChallenges();
  }

  // Modes

  /** @param {boolean} hide */
  hideAnswers(hide) {
    this.covered = hide;
    document.body.classList.toggle('covered', hide);
    this.strip();
  }

  /** Told again in another language. @param {HTMLElement} panel @param {() => string[]} lines @param {() => Choice[]} choices */
  panel(panel, lines, choices) {
    panel.hidden = false;
    this.sayPanel = () => this.panel(panel, lines, choices);
    const [small, large] = lines();
    panel.replaceChildren(
      make('div', {}, [
        ...(small ? [make('p', { className: 'small', textContent: small })] : []),
        ...(large ? [make('p', { className: 'large', textContent: large })] : []),
      ]),
      make('div', { className: 'row' }, choices().map(({ label, act, plain }) => {
        const button = make('button', { type: 'button', textContent: label, className: plain ? '' : 'choice' });
        button.addEventListener('click', () => this.attempt(act));
        return button;
      })),
    );
  }

  /** @param {'tour' | 'free' | 'guess'} mode */
  async enter(mode) {
    this.mode = mode;
    for (const button of document.querySelectorAll('.modes button')) {
      button.setAttribute('aria-pressed', String(/** @type {HTMLElement} */ (button).dataset.mode === mode));
    }
    document.body.dataset.mode = mode;
    this.hideAnswers(false);
    byId('panel').hidden = true;
    if (mode !== 'free') await this.attempt(() => (mode === 'tour' ? this.tour : this.guessing).begin());
  }

  /** What a visitor sees first. */
  offerTour() {
    this.panel(byId('panel'), () => ['', this.texts.say('tour_offer')], () => [
      { label: this.texts.say('tour_begin'), act: () => this.enter('tour') },
      { label: this.texts.say('tour_skip'), act: () => this.enter('free'), plain: true },
    ]);
  }

  /** A step of the tour or the game; back to free play where models do not respond, which is told elsewhere. @param {() => any} step */
  async attempt(step) {
    try {
      await step();
    } catch (error) {
      await this.enter('free');
      if (!(error instanceof Error && error.message === 'no responses')) throw error;
    }
  }

  listen() {
    for (const button of document.querySelectorAll('[data-do]')) {
      button.addEventListener('click', () => this.act(/** @type {HTMLElement} */ (button).dataset.do ?? ''));
    }
    for (const button of document.querySelectorAll('.modes button')) {
      button.addEventListener('click', () => this.enter(/** @type {'tour'} */ (/** @type {HTMLElement} */ (button).dataset.mode)));
    }
    byId('exemplar').addEventListener('change', (/** @type {any} */ { target }) => {
      // Its own parts come with a new exemplar; those taken from another one stay.
      const { exemplar } = this.state;
      const parts = this.state.parts.map((part) => (part.donor === exemplar ? { ...part, donor: target.value } : part));
      this.change({ ...this.state, exemplar: target.value, parts });
    });
    byId('donor').addEventListener('change', (/** @type {any} */ { target }) => {
      this.change(withParts(this.state, this.selection, () => ({ donor: target.value })));
    });
    byId('canvas').addEventListener('change', (/** @type {any} */ { target }) => this.change({ ...this.state, canvas: target.value }));
    byId('placement').addEventListener('change', (/** @type {any} */ { target }) => this.change({ ...this.state, placement: target.value }));
    byId('map').addEventListener('change', () => { this.clearMaps(); this.maps(); });
    byId('language').addEventListener('click', () => {
      this.texts = new Texts(this.language === 'de' ? 'en' : 'de');
      this.speak();
      this.maps();
      if (!byId('panel').hidden) this.sayPanel();
    });
    byId('theme').addEventListener('click', () => {
      const dark = matchMedia('(prefers-color-scheme: dark)').matches;
      const { dataset } = document.documentElement;
      dataset.theme = (dataset.theme ?? (dark ? 'dark' : 'light')) === 'dark' ? 'light' : 'dark';
    });
    window.addEventListener('hashchange', () => this.open());
    window.addEventListener('resize', () => this.strip());
  }

  /** The state of the address, if it has one. */
  async open() {
    const text = location.hash.match(/^#s=(.+)$/)?.[1];
    if (!text || text === toLink(this.material, this.state)) return;
    const state = fromLink(this.material, text);
    this.problem(state ? '' : 'bad_link');
    if (state) await this.change(state);
  }
}

/** How far some parts have been moved, in pixels of the host. @param {State} from @param {State} to @param {string[]} slots */
function away(from, to, slots) {
  const part = (/** @type {State} */ state) => state.parts.filter((one) => one.slot === slots[0])[0];
  const [a, b] = [part(from), part(to)];
  return a && b ? Math.round(Math.hypot(b.rows - a.rows, b.columns - a.columns)) : 0;
}

/** @param {string} word */
const capital = (word) => word[0].toUpperCase() + word.slice(1);

async function start() {
  const held = byId('bundle').textContent;
  const embedded = held !== 'null';
  const bundle = embedded ? JSON.parse(held) : await (await fetch('bundle.json')).json();
  if (bundle.format !== FORMAT) {
    byId('problem').hidden = false;
    byId('problem').textContent = new Texts(Texts.preferred()).say('bad_bundle');
    return null;
  }
  const material = new Material(bundle);
  await material.have([material.names[0]]);
  const app = new App(bundle, material);
  app.speak();
  app.listen();
  await app.enter('free');
  if (!location.hash) app.offerTour();
  await app.open();
  app.show(app.state);
  if (app.inBrowser) {
    app.asker = new BrowserModels(bundle.models, byId('worker').textContent.replaceAll('<\\/', '</'));
  } else {
    app.asker = new ServerModels(bundle.models, bundle.landmarks);
    let failed = false;
    app.asker.onProblem = (problem) => {
      // Responses end only what the server was said to have, not what is said of a link.
      if (problem || failed) {
        byId('problem').hidden = !problem;
        app.tell('problem', problem ? () => app.trouble(problem) : null);
      }
      failed = Boolean(problem);
    };
  }
  try {
    await app.asker.ready();
  } catch (error) {
    app.problem('no_worker', { problem: error instanceof Error ? error.message : String(error) });
  }
  app.show(app.state);
  await material.have(material.names);
  return app;
}

/** What tests take hold of. */
/** @type {any} */ (window).explorer = start();

// The visitor's own image: chosen, brought under outlines, and cut into parts. It goes nowhere but to the server that
// responds, if one does.

import { covering, cutExemplar, foundOutlines, holds, LEAST, meanOutlines, placed } from './cutting.js';
import { svg } from './stage.js';

/** @typedef {import('./cutting.js').Outline} Outline */

const SIDE = 512;
const ENOUGH = 2048; // pixels along an edge of the file
const SIZING = 1.05;
const ENLARGED_MOST = 12;
const NEAR = 16; // pixels by which a handle, or a finger an outline, may be missed
const STRIDE = 4;
const STRIDES = { Shift: 16, Alt: 1 };

/** @param {string} name @returns {any} */
const ownPart = (name) => document.getElementById(`own-${name}`);

export class OwnImage {
  /** @param {import('./main.js').App} app */
  constructor(app) {
    this.app = app;
    this.dialog = /** @type {HTMLDialogElement} */ (document.getElementById('own'));
    this.stage = ownPart('stage');
    this.canvas = /** @type {HTMLCanvasElement} */ (this.stage.querySelector('canvas'));
    /** @type {ImageBitmap | null} */
    this.bitmap = null;
    /** @type {Outline[]} where the image lies, and the outlines */
    this.things = [];
    this.chosen = 0;
    this.found = false;
    /** @type {File | null} the last one */
    this.file = null;
    /** @type {{at: number[], sizes: boolean, thing: Outline} | null} */
    this.held = null;
    this.listen();
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
    this.say(!this.bitmap ? 'own_how' : this.found ? 'own_found' : 'own_place');
    ownPart('where').textContent = this.app.texts.say(this.app.inBrowser ? 'own_stays' : 'own_goes');
    this.show();
  }

  /** @param {string} key */
  say(key) {
    const { texts, material } = this.app;
    ownPart('how').textContent = texts.say(key, { object: texts.name(material.scheme.name) });
  }

  /** @param {File} file */
  async take(file) {
    this.open();
    const { material, asker } = this.app;
    this.file = file;
    this.say('loading');
    await material.have(material.names);
    let [bitmap, found] = /** @type {[ImageBitmap | null, import('./cutting.js').Found | null]} */ ([null, null]);
    try {
      const whole = await createImageBitmap(file);
      const share = Math.min(1, ENOUGH / Math.max(whole.width, whole.height));
      const resizeWidth = Math.max(1, Math.round(share * whole.width));
      bitmap = share < 1 ? await createImageBitmap(whole, { resizeWidth, resizeQuality: 'high' }) : whole;
      found = (await asker?.partsIn(bitmap)) ?? null;
    } catch {
      // Not read, or not searched for parts.
    }
    if (this.file !== file || !this.dialog.open) return;
    if (!bitmap) {
      this.say('own_unreadable');
      return;
    }
    [this.bitmap, this.found] = [bitmap, Boolean(found)];
    const others = material.names.filter((name) => !material.own.includes(name)).map((name) => material.exemplar(name));
    const [rows, columns] = [others[0].rows, others[0].columns].map((n) => Math.round((n * SIDE) / others[0].side));
    Object.assign(this.canvas, { width: columns, height: rows });
    const image = { kind: '', row: 0, column: 0, rows: this.bitmap.height, columns: this.bitmap.width, power: Infinity };
    const least = Math.max(rows / image.rows, columns / image.columns);
    const size = [image.rows * least, image.columns * least];
    const means = meanOutlines(others, material.scheme.part_kinds, rows, columns);
    this.things = found
      ? foundOutlines(found, image, means, rows, columns)
      : [covering(image, [rows / 2, columns / 2], size, rows, columns), ...means];
    this.chosen = 0;
    this.open();
    this.stage.focus();
  }

  /** What is chosen, about another middle and of another size. @param {number[]} middle @param {number[]} size */
  place(middle, size) {
    const { things, chosen, canvas } = this;
    things[chosen] = (chosen ? placed : covering)(things[chosen], middle, size, canvas.height, canvas.width);
    this.show();
  }

  /** @param {number} rows @param {number} columns @param {Outline} thing from where */
  shift(rows, columns, thing = this.things[this.chosen]) {
    this.place([thing.row + rows + thing.rows / 2, thing.column + columns + thing.columns / 2], [thing.rows, thing.columns]);
  }

  /** An outline about its own middle, the image about what is seen there. @param {number} factor */
  size(factor) {
    const { things, chosen, canvas } = this;
    const { row, column, rows, columns } = things[chosen];
    if (!chosen && factor > 1 && rows > ENLARGED_MOST * canvas.height) return;
    const middle = [row + rows / 2, column + columns / 2];
    const about = chosen ? middle : [canvas.height / 2, canvas.width / 2];
    this.place(about.map((n, i) => n + factor * (middle[i] - n)), [rows, columns].map((n) => n * factor));
  }

  show() {
    const { bitmap, canvas, things, chosen } = this;
    const { texts } = this.app;
    for (const name of ['stage', 'things', 'use']) ownPart(name).hidden = !bitmap;
    ownPart('choose').className = bitmap ? '' : 'main';
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!bitmap || !context) return;
    const [{ row, column, rows, columns }, ...outlines] = things;
    context.imageSmoothingQuality = 'high';
    context.fillStyle = '#fff'; // seen where the image is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, column, row, columns, rows);
    const overlay = this.stage.querySelector('svg');
    overlay.setAttribute('viewBox', `0 0 ${canvas.width} ${canvas.height}`);
    overlay.replaceChildren(...outlines.flatMap((outline, i) => {
      const points = lineOf(outline);
      return [svg('polygon', { points, class: 'halo' }), svg('polygon', { points, class: i + 1 === chosen ? 'outline' : 'outline gone' })];
    }));
    if (chosen) {
      const [r, c] = this.handle();
      overlay.append(svg('rect', { x: c - 8, y: r - 8, width: 16, height: 16, rx: 3, class: 'handle' }));
    }
    [texts.say('own_image'), ...outlines.map(({ kind }) => texts.name(kind))].forEach((textContent, i) => {
      const chip = ownPart('things').querySelectorAll('.chip')[i] ?? document.createElement('button');
      Object.assign(chip, { type: 'button', className: 'chip', textContent, onclick: () => this.choose(i) });
      chip.setAttribute('aria-pressed', String(i === chosen));
      if (!chip.isConnected) ownPart('things').lastElementChild.before(chip);
    });
  }

  /** @param {number} chosen */
  choose(chosen) {
    this.chosen = chosen;
    this.show();
  }

  /** Where what is chosen is taken to size it. */
  handle() {
    const { row, column, rows, columns } = this.things[this.chosen];
    return [Math.min(row + rows + 3, this.canvas.height - 9), Math.min(column + columns + 3, this.canvas.width - 9)];
  }

  /** @param {PointerEvent} event */
  point(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    return [event.clientY - top, event.clientX - left].map((n) => (n * this.canvas.width) / width);
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0) return;
    const at = this.point(event);
    const sizes = this.chosen > 0 && this.handle().every((n, i) => Math.abs(n - at[i]) <= NEAR);
    if (!sizes) {
      const under = this.things.map((_, i) => i).filter((i) => i && holds(this.things[i], at[0], at[1], event.pointerType === 'touch' ? NEAR : 0));
      this.choose(under.includes(this.chosen) ? this.chosen : under.pop() ?? 0);
    }
    this.held = { at, sizes, thing: this.things[this.chosen] };
    this.stage.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.held) return;
    const { at, sizes, thing } = this.held;
    const [down, across] = this.point(event).map((n, i) => n - at[i]);
    if (!sizes) {
      this.shift(down, across, thing);
      return;
    }
    // The upper left corner stays, and the lower right one goes along.
    const size = [thing.rows + down, thing.columns + across].map((n) => Math.max(n, LEAST));
    this.place([thing.row + size[0] / 2, thing.column + size[1] / 2], size);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey) return;
    const far = event.shiftKey ? STRIDES.Shift : event.altKey ? STRIDES.Alt : STRIDE;
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (way) this.shift(way[0] * far, way[1] * far);
    else if (event.key === '+' || event.key === '=') this.size(SIZING);
    else if (event.key === '-') this.size(1 / SIZING);
    else if (event.key !== ' ' && this.things[Number(event.key)]) this.choose(Number(event.key));
    else return;
    event.preventDefault();
  }

  async use() {
    const { width, height } = this.canvas;
    const data = this.canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
    const image = { rows: height, columns: width, pixels: data.filter((_, i) => i % 4 < 3) };
    const exemplar = cutExemplar(`own:${this.app.material.own.length + 1}`, image, this.things.slice(1));
    ownPart('use').disabled = true; // so that it is not sent twice
    try {
      exemplar.name = (await this.app.asker?.keep(exemplar)) ?? exemplar.name;
    } catch (error) {
      ownPart('how').textContent = this.app.trouble(error instanceof Error ? error.message : '');
      return;
    } finally {
      ownPart('use').disabled = false;
    }
    this.dialog.close();
    await this.app.receive(exemplar);
  }

  listen() {
    const { stage } = this;
    stage.addEventListener('pointerdown', (/** @type {PointerEvent} */ event) => this.down(event));
    stage.addEventListener('pointermove', (/** @type {PointerEvent} */ event) => this.move(event));
    for (const name of ['pointerup', 'pointercancel']) stage.addEventListener(name, () => { this.held = null; });
    for (const one of [stage, ownPart('things')]) one.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.key(event));
    /** @type {Record<string, () => any>} */
    const acts = {
      smaller: () => this.size(1 / SIZING), larger: () => this.size(SIZING), choose: () => ownPart('file').click(),
      use: () => this.use(), close: () => this.dialog.close(),
    };
    for (const [name, act] of Object.entries(acts)) ownPart(name).addEventListener('click', act);
    const first = (/** @type {DataTransfer | HTMLInputElement | null} */ from) => from?.files?.length && this.take(from.files[0]);
    ownPart('file').addEventListener('change', (/** @type {any} */ { target }) => { first(target); target.value = ''; });
    window.addEventListener('paste', ({ clipboardData }) => first(clipboardData));
    for (const name of /** @type {const} */ (['dragover', 'drop'])) {
      window.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        if (name === 'drop') first(event.dataTransfer);
      });
    }
  }
}

/** The points of an outline as an svg has them. @param {Outline} outline */
function lineOf({ row, column, rows, columns, power }) {
  const bent = (/** @type {number} */ n) => Math.sign(n) * Math.abs(n) ** (2 / power);
  return Array.from({ length: 64 }, (_, i) => {
    const angle = (Math.PI * i) / 32;
    return `${column + (columns * (1 + bent(Math.cos(angle)))) / 2},${row + (rows * (1 + bent(Math.sin(angle)))) / 2}`;
  }).join(' ');
}

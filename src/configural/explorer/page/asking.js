// Two ways to ask: networks in the browser, each in a worker of its own, or a server's models.

import { hidden } from './drawing.js';
import { pack, packImage } from './packing.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {{logOdds: number, evidence?: number[] | null, side?: number}} Reply
 * @typedef {import('./material.js').Exemplar} Exemplar
 * @typedef {import('./cutting.js').Found} Found
 * @typedef {{top: number, left: number, side: number}} Square as fractions of the image
 * @typedef {{state: State, drawing: ReturnType<typeof import('./drawing.js').drawn>, hide?: Square}} Item
 * @typedef {(model: number, reply: Reply, item: any) => void} OnReply
 * @typedef {{images: Uint8ClampedArray[], take: (replies: Reply[]) => void}} Job
 */

/** @param {Item} item @param {number} size */
function imageOf(item, size) {
  const image = item.drawing.image(size);
  if (!item.hide) return image;
  const { top, left, side } = item.hide;
  return hidden(image, size, { top: Math.round(top * size), left: Math.round(left * size), side: Math.round(side * size) });
}

/** One network in a worker: what is asked last is answered first, and everything else when there is time. */
class WorkerModel {
  /** @param {any} model @param {string} address of the worker's script */
  constructor(model, address) {
    this.size = model.image_size;
    this.worker = new Worker(address);
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.error) reject(new Error(data.error));
        else if (data.ready) resolve(null);
        else this.finish(data);
      };
      this.worker.onerror = (event) => reject(new Error(event.message));
    });
    this.worker.postMessage({ network: model.network, imageSize: model.image_size });
    /** @type {Job | null} */
    this.running = null;
    /** @type {Job | null} */
    this.next = null;
    /** @type {Job[]} */
    this.later = [];
  }

  /** @param {{responses: Reply[]}} data */
  finish(data) {
    const job = this.running;
    this.running = null;
    job?.take(data.responses);
    this.start();
  }

  start() {
    if (this.running) return;
    this.running = this.next ?? this.later.shift() ?? null;
    if (this.running === this.next) this.next = null;
    if (this.running) this.worker.postMessage({ images: this.running.images });
  }
}

export class BrowserModels {
  /** @param {any[]} models @param {string} script */
  constructor(models, script) {
    const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    this.all = models.map((model) => new WorkerModel(model, address));
  }

  async ready() {
    await Promise.all(this.all.map((model) => model.ready));
  }

  /** Nothing finds the parts of an image here. @param {ImageBitmap} bitmap @returns {Promise<Found | null>} */
  async partsIn(bitmap) {
    return null;
  }

  /** The visitor's own exemplar stays in the page. @param {Exemplar} exemplar @returns {Promise<string>} its name */
  async keep(exemplar) {
    return exemplar.name;
  }

  /** Ask all about one image; whoever is still busy with another is asked only if no newer one comes. @param {Item} item @param {OnReply} onReply */
  ask(item, onReply) {
    this.all.forEach((model, index) => {
      model.next = { images: [imageOf(item, model.size)], take: ([reply]) => onReply(index, reply, item) };
      model.start();
    });
  }

  /**
   * One model's replies to several images, when there is time.
   * @param {number} index @param {Item[]} items @param {() => boolean} wanted
   * @returns {Promise<Reply[] | null>} null if no longer wanted
   */
  async askLater(index, items, wanted) {
    const model = this.all[index];
    const replies = [];
    for (const item of items) {
      if (!wanted()) return null;
      const reply = await new Promise((resolve) => {
        model.later.push({ images: [imageOf(item, model.size)], take: ([one]) => resolve(one) });
        model.start();
      });
      replies.push(reply);
    }
    return replies;
  }
}

const AT_ONCE = 32;
const SENT_MOST = 1024; // pixels along an edge of an image

export class ServerModels {
  /** @param {any[]} models @param {boolean} landmarks whether the server finds the parts of a face */
  constructor(models, landmarks) {
    this.names = models.map((model) => model.name);
    this.landmarks = landmarks;
    /** @type {Map<string, Promise<Reply[][] | null>>} what is being asked */
    this.asked = new Map();
    this.busy = false;
    /** @type {(() => Promise<void>) | null} */
    this.next = null;
    /** @type {(problem: string) => void} */
    this.onProblem = () => {};
  }

  async ready() {}

  /** Where the parts of a face lie in an image, where the server can tell. @param {ImageBitmap} bitmap @returns {Promise<Found | null>} */
  async partsIn(bitmap) {
    if (!this.landmarks) return null;
    const share = Math.min(1, SENT_MOST / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(share * n)));
    const context = canvas.getContext('2d');
    if (!context) return null;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const file = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.95));
    return (await this.send('parts', file, 'image/jpeg')).found;
  }

  /** The server gets the visitor's own exemplar, to draw it. @param {Exemplar} exemplar @returns {Promise<string>} the name it gave it */
  async keep({ rows, columns, canvas, parts }) {
    const sent = await Promise.all(Array.from(parts.values(), async (part) => (
      { ...part, pixels: await packImage(part.pixels, part.columns), mask: await pack(part.mask) }
    )));
    return (await this.send('exemplars', JSON.stringify({ rows, columns, canvas: await packImage(canvas, columns), parts: sent }))).name;
  }

  /** @param {Item} item @param {OnReply} onReply */
  ask(item, onReply) {
    this.next = async () => {
      const replies = await this.post([item]);
      replies?.forEach(([reply], index) => onReply(index, reply, item));
    };
    this.start();
  }

  async start() {
    if (this.busy || !this.next) return;
    const job = this.next;
    this.next = null;
    this.busy = true;
    await job();
    this.busy = false;
    this.start();
  }

  /**
   * @param {number} index @param {Item[]} items @param {() => boolean} wanted
   * @returns {Promise<Reply[] | null>}
   */
  async askLater(index, items, wanted) {
    const replies = [];
    for (let first = 0; first < items.length; first += AT_ONCE) {
      if (!wanted()) return null;
      const some = await this.post(items.slice(first, first + AT_ONCE));
      if (!some) return null;
      replies.push(...some[index]);
    }
    return replies;
  }

  /**
   * Each model's replies, or null where there were none. All models reply to a question, so that it is asked once though
   * each has a map of its own.
   * @param {Item[]} items @returns {Promise<Reply[][] | null>}
   */
  post(items) {
    const question = JSON.stringify({ states: items.map(({ state, hide }) => (hide ? { ...state, hide } : state)) });
    const asked = this.asked.get(question) ?? this.replies(question).finally(() => this.asked.delete(question));
    this.asked.set(question, asked);
    return asked;
  }

  /** @param {string} question @returns {Promise<Reply[][] | null>} */
  async replies(question) {
    try {
      const { models } = await this.send('responses', question);
      this.onProblem('');
      return this.names.map((name) => {
        const found = models.filter((/** @type {any} */ one) => one.name === name)[0];
        return found.log_odds.map((/** @type {number} */ value) => ({ logOdds: value }));
      });
    } catch (error) {
      this.onProblem(error instanceof Error ? error.message : 'server');
      return null;
    }
  }

  /**
   * What the server returns; if nothing good, an error with its sentence, or with `server` where it says none.
   * @param {string} route @param {any} body @param {string} [type]
   */
  async send(route, body, type = 'application/json') {
    const response = await fetch(route, { method: 'POST', headers: { 'Content-Type': type }, body }).catch(() => null);
    const text = (await response?.text().catch(() => '')) ?? '';
    let said;
    try {
      said = JSON.parse(text);
    } catch {
      throw new Error(text.slice(0, 300) || 'server'); // in plain words
    }
    if (response?.ok) return said;
    throw new Error(said.error ?? 'server');
  }
}

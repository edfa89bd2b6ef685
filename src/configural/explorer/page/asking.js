// Two ways to ask: networks in the browser, each in a worker of its own, or a server's models.

import { hidden } from './drawing.js';

/**
 * @typedef {import('./state.js').State} State
 * @typedef {{logOdds: number, evidence?: number[] | null, side?: number}} Reply
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

export class ServerModels {
  /** @param {any[]} models */
  constructor(models) {
    this.names = models.map((model) => model.name);
    this.busy = false;
    /** @type {(() => Promise<void>) | null} */
    this.next = null;
    /** @type {(problem: string) => void} */
    this.onProblem = () => {};
  }

  async ready() {}

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

  /** Each model's replies, or null where there were none. @param {Item[]} items @returns {Promise<Reply[][] | null>} */
  async post(items) {
    const states = items.map(({ state, hide }) => (hide ? { ...state, hide } : state));
    try {
      const response = await fetch('responses', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ states }),
      });
      if (!response.ok) {
        const said = (await response.text()).slice(0, 300);
        let problem = said;
        try {
          problem = JSON.parse(said).error ?? said;
        } catch {
          // What it said is plain text.
        }
        this.onProblem(problem);
        return null;
      }
      const { models } = await response.json();
      this.onProblem('');
      return this.names.map((name) => {
        const found = models.filter((/** @type {any} */ one) => one.name === name)[0];
        return found.log_odds.map((/** @type {number} */ value) => ({ logOdds: value }));
      });
    } catch {
      this.onProblem('server');
      return null;
    }
  }
}

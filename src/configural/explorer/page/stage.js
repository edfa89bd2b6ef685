// The stage: the image, large, and what takes hold of its parts.

import { asImageData } from './drawing.js';
import { posed } from './state.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./drawing.js').Scene} Scene */

const STEP = 4;
const STEPS = { Shift: 16, Alt: 1 };

/** @param {string} name @param {Record<string, string | number>} attributes */
export function svg(name, attributes = {}) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export class Stage {
  /**
   * @param {HTMLElement} element holds a canvas and an svg
   * @param {import('./material.js').Material} material
   * @param {{select: (slots: string[]) => void, begin: () => void, drag: (rows: number, columns: number) => void,
   *   pose: (change: (state: State) => State) => void, end: () => void, step: (rows: number, columns: number) => void,
   *   key: (key: string) => boolean}} hooks
   */
  constructor(element, material, hooks) {
    this.element = element;
    this.material = material;
    this.hooks = hooks;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector('canvas'));
    this.overlay = /** @type {SVGSVGElement} */ (element.querySelector('svg'));
    /** @type {State | null} */
    this.state = null;
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {string[]} */
    this.selection = [];
    /** @type {{start: number[], kind: 'move' | 'turn' | 'scale', middle: number[], base: State} | null} */
    this.held = null;
    element.addEventListener('pointerdown', (event) => this.down(event));
    element.addEventListener('pointermove', (event) => this.move(event));
    element.addEventListener('pointerup', () => this.up());
    element.addEventListener('pointercancel', () => this.up());
    element.addEventListener('keydown', (event) => this.key(event));
    // A finger on a part moves it; beside the parts, it scrolls the page.
    element.addEventListener('touchstart', (event) => {
      const touch = event.touches[0];
      if (this.handleAt(event.target) || this.slotAt(this.point(touch))) event.preventDefault();
    }, { passive: false });
  }

  /**
   * @param {ReturnType<typeof import('./drawing.js').drawn>} drawing
   * @param {State} state
   * @param {string[]} selection
   */
  show(drawing, state, selection) {
    const { scene } = drawing;
    if (this.canvas.width !== scene.side) {
      this.canvas.width = scene.side;
      this.canvas.height = scene.side;
    }
    this.canvas.getContext('2d')?.putImageData(asImageData(drawing.large(), scene.side), 0, 0);
    [this.state, this.scene, this.selection] = [state, scene, selection];
    this.outline();
  }

  outline() {
    const { scene, state } = this;
    if (!scene || !state) return;
    this.overlay.setAttribute('viewBox', `0 0 ${scene.side} ${scene.side}`);
    const group = svg('g', state.flip ? { transform: `rotate(180 ${scene.side / 2} ${scene.side / 2})` } : {});
    const corners = this.selection.flatMap((slot) => {
      const item = scene.items.filter((one) => one.slot === slot)[0];
      const points = outlineOf(item, scene);
      const line = points.map(([r, c]) => `${c},${r}`).join(' ');
      group.append(svg('polygon', { points: line, class: 'halo' }));
      group.append(svg('polygon', { points: line, class: item.shown ? 'outline' : 'outline gone' }));
      return item.shown ? points : [];
    });
    if (corners.length) {
      const [top, left] = [0, 1].map((i) => Math.min(...corners.map((point) => point[i])));
      const [bottom, right] = [0, 1].map((i) => Math.max(...corners.map((point) => point[i])));
      const above = Math.max(top - 26, 14);
      group.append(svg('line', { x1: (left + right) / 2, y1: top, x2: (left + right) / 2, y2: above, class: 'stem' }));
      group.append(svg('circle', { cx: (left + right) / 2, cy: above, r: 10, class: 'handle', 'data-handle': 'turn' }));
      const [x, y] = [Math.min(right + 4, scene.side - 10), Math.min(bottom + 4, scene.side - 10)];
      group.append(svg('rect', { x: x - 8, y: y - 8, width: 16, height: 16, rx: 3, class: 'handle', 'data-handle': 'scale' }));
    }
    this.overlay.replaceChildren(group);
  }

  /** Row and column of the square under a pointer. @param {{clientX: number, clientY: number}} event */
  point(event) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    const side = this.scene?.side ?? 1;
    const [r, c] = [((event.clientY - top) / width) * side, ((event.clientX - left) / width) * side];
    return this.state?.flip ? [side - r, side - c] : [r, c];
  }

  /** @param {EventTarget | null} target */
  handleAt(target) {
    return target instanceof Element ? target.getAttribute('data-handle') : null;
  }

  /** The slot whose part is seen at a point, or just missed. @param {number[]} point */
  slotAt([r, c]) {
    const { scene } = this;
    if (!scene) return null;
    for (const slack of [0, 6, 14]) {
      for (const item of [...scene.items].reverse()) {
        const [row, column] = [r - scene.corner[0], c - scene.corner[1]];
        const [high, wide] = [0, 1].map((i) => (item.high[i] - item.low[i]) / 2);
        const [y, x] = [Math.abs(row - item.low[0] - high) - slack, Math.abs(column - item.low[1] - wide) - slack];
        if (item.shown && y <= high && x <= wide && (slack || (y / high) ** 2 + (x / wide) ** 2 <= 1.2)) return item.slot;
      }
    }
    return null;
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0 || !this.scene || !this.state) return;
    const start = this.point(event);
    const handle = this.handleAt(event.target);
    if (!handle) {
      const slot = this.slotAt(start);
      if (!slot) {
        if (!event.shiftKey) this.hooks.select([]);
        return;
      }
      if (event.shiftKey) {
        const without = this.selection.filter((one) => one !== slot);
        this.hooks.select(without.length < this.selection.length ? without : [...without, slot]);
      } else if (!this.selection.includes(slot)) {
        this.hooks.select([slot]);
      }
    }
    const { corner, items } = this.scene;
    const some = items.filter((item) => this.selection.includes(item.slot));
    const middle = [0, 1].map((i) => some.reduce((sum, item) => sum + item.middle[i], 0) / some.length + corner[i]);
    this.held = { start, kind: /** @type {'move'} */ (handle ?? 'move'), middle, base: this.state };
    this.element.setPointerCapture(event.pointerId);
    this.element.classList.add('held');
    this.hooks.begin();
  }

  /** @param {PointerEvent} event */
  move(event) {
    const point = this.point(event);
    if (!this.held) {
      this.element.classList.toggle('over', Boolean(this.slotAt(point)));
      return;
    }
    const { start, kind, middle, base } = this.held;
    if (kind === 'move') {
      this.hooks.drag(point[0] - start[0], point[1] - start[1]);
      return;
    }
    const [from, to] = [start, point].map(([r, c]) => [r - middle[0], c - middle[1]]);
    const degrees = ((Math.atan2(to[0], to[1]) - Math.atan2(from[0], from[1])) * 180) / Math.PI;
    const factor = Math.hypot(...to) / Math.max(Math.hypot(...from), 1);
    this.hooks.pose(() =>
      posed(this.material, base, this.selection, kind === 'turn' ? Math.round(degrees) : 0, kind === 'scale' ? factor : 1),
    );
  }

  up() {
    if (!this.held) return;
    this.held = null;
    this.element.classList.remove('held');
    this.hooks.end();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? STEPS.Shift : event.altKey ? STEPS.Alt : STEP;
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (way) {
      const sign = this.state?.flip ? -1 : 1;
      this.hooks.step(sign * way[0] * step, sign * way[1] * step);
      event.preventDefault();
    } else if (this.hooks.key(event.key)) {
      event.preventDefault();
    }
  }
}

/**
 * The corners of a part in the square, turned with it.
 * @param {import('./drawing.js').Placed} item @param {Scene} scene
 */
function outlineOf(item, scene) {
  const half = [item.patch.rows / 2, item.patch.columns / 2];
  const [cos, sin] = item.matrix;
  return [[-1, -1], [-1, 1], [1, 1], [1, -1]].map(([y, x]) => {
    const [r, c] = [y * half[0], x * half[1]];
    return [
      cos * r + sin * c + item.middle[0] + 0.5 + scene.corner[0],
      -sin * r + cos * c + item.middle[1] + 0.5 + scene.corner[1],
    ];
  });
}

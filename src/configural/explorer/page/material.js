// What stimuli are made of: the exemplars of the bundle, unpacked when they are needed.

import { unpack, unpackImage } from './packing.js';

/**
 * @typedef {{kind: string, row: number, column: number, rows: number, columns: number, pixels: Uint8Array, mask: Uint8Array}} Part
 * @typedef {{name: string, rows: number, columns: number, side: number, skin: number[], canvas: Uint8Array, parts: Map<string, Part>}} Exemplar
 * @typedef {{name: string, class_names: string[], part_kinds: string[], groups: Record<string, string[]>, scrambles: number[][]}} Scheme
 */

export class Material {
  /** @param {any} bundle */
  constructor(bundle) {
    /** @type {Scheme} */
    this.scheme = bundle.scheme;
    /** @type {number} */
    this.blend = bundle.blend;
    /** @type {string[]} */
    this.names = bundle.exemplars.map((/** @type {any} */ one) => one.name);
    this.packed = new Map(bundle.exemplars.map((/** @type {any} */ one) => [one.name, one]));
    /** @type {Map<string, Promise<Exemplar>>} */
    this.asked = new Map();
    /** @type {Map<string, Exemplar>} */
    this.unpacked = new Map();
    /** @type {string[]} names of the visitor's own, which nobody else has */
    this.own = [];
    /** @type {Map<string, any>} what was made of them to draw faster */
    this.fitted = new Map();
  }

  /**
   * Until these exemplars can be drawn.
   * @param {Iterable<string>} names
   */
  async have(names) {
    await Promise.all(
      [...new Set(names)].map((name) => {
        if (!this.asked.has(name)) this.asked.set(name, this.unpackOne(name));
        return this.asked.get(name);
      }),
    );
  }

  /** One more exemplar, of the visitor's own. @param {Exemplar} exemplar */
  add(exemplar) {
    this.names.push(exemplar.name);
    this.own.push(exemplar.name);
    this.asked.set(exemplar.name, Promise.resolve(exemplar));
    this.unpacked.set(exemplar.name, exemplar);
  }

  /** @param {string} name */
  exemplar(name) {
    const found = this.unpacked.get(name);
    if (!found) throw new Error(`exemplar ${name} is not unpacked`);
    return found;
  }

  /** @param {string} name @returns {Promise<Exemplar>} */
  async unpackOne(name) {
    const packed = this.packed.get(name);
    const parts = await Promise.all(
      packed.parts.map(async (/** @type {any} */ part) => [
        part.kind,
        { ...part, pixels: await unpackImage(part.pixels, part.columns), mask: await unpack(part.mask) },
      ]),
    );
    const exemplar = {
      ...packed,
      side: Math.max(packed.rows, packed.columns),
      canvas: await unpackImage(packed.canvas, packed.columns),
      parts: new Map(parts),
    };
    this.unpacked.set(name, exemplar);
    return exemplar;
  }
}

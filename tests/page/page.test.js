// The explorer's modules by themselves, against what is plain to compute another way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';

import { covering, cutExemplar, foundOutlines, meanOutlines, placed } from '../../src/configural/explorer/page/cutting.js';
import { drawn } from '../../src/configural/explorer/page/drawing.js';
import { Material } from '../../src/configural/explorer/page/material.js';
import { makeNetwork } from '../../src/configural/explorer/page/network.js';
import { pack, packImage, unpack, unpackImage, unpackWeights } from '../../src/configural/explorer/page/packing.js';
import { resampling, resized } from '../../src/configural/explorer/page/resampling.js';
import * as states from '../../src/configural/explorer/page/state.js';
import { english, englishNames } from '../../src/configural/explorer/page/english.js';
import { german, germanNames } from '../../src/configural/explorer/page/german.js';

/** The same numbers again and again, from 0 to 1. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (1103515245 * state + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

const packed = (bytes) => deflateSync(Buffer.from(bytes.buffer ?? bytes)).toString('base64');
const differences = (pixels, columns) =>
  Uint8Array.from(pixels, (value, i) => (i % (3 * columns) >= 3 ? value - pixels[i - 3] : value));

const KINDS = ['left_eye', 'right_eye', 'nose', 'mouth'];
const BOXES = [[10, 8, 4, 6], [10, 26, 4, 6], [20, 17, 8, 5], [34, 14, 5, 12]];

async function material() {
  const [rows, columns] = [50, 40];
  const random = chance(1);
  const grey = (n) => Uint8Array.from({ length: n }, () => 256 * random());
  const exemplars = ['a', 'b'].map((name) => ({
    name, rows, columns, skin: [1, 2, 3], canvas: packed(grey(3 * rows * columns)),
    parts: KINDS.map((kind, i) => {
      const [row, column, high, wide] = BOXES[i];
      const mask = packed(new Uint8Array(high * wide).fill(1));
      return { kind, row, column, rows: high, columns: wide, pixels: packed(grey(3 * high * wide)), mask };
    }),
  }));
  const scheme = { name: 'face', class_names: ['no_face', 'face'], part_kinds: KINDS, groups: {}, scrambles: [[3, 1, 2, 0]] };
  const made = new Material({ scheme, blend: 0.8, exemplars });
  await made.have(['a', 'b']);
  return made;
}

test('weights of resampling add up to one, and a line of equal numbers stays as it is', () => {
  for (const [side, size] of [[512, 64], [64, 64], [37, 50], [1, 3]]) {
    const taps = resampling(side, size);
    assert.equal(taps.length, size);
    for (const { first, weights } of taps) {
      assert.ok(first >= 0 && first + weights.length <= side);
      assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-6);
    }
  }
  const shape = { rows: 8, columns: 6, planes: 1, top: 0, left: 0 };
  const flat = resized(new Float32Array(48).fill(7), shape, resampling(8, 3), resampling(6, 4));
  assert.ok(flat.every((value) => Math.abs(value - 7) < 1e-5));
});

test('without shrinking, resampling is linear interpolation between centres', () => {
  const [line, size] = [[3, 8, 1, 0], 7];
  const doubled = resized(line, { rows: 1, columns: 4, planes: 1, top: 0, left: 0 }, resampling(1, 1), resampling(4, size));
  doubled.forEach((value, i) => {
    const at = Math.min(Math.max(((i + 0.5) * 4) / size - 0.5, 0), 3);
    const low = Math.floor(at);
    const inside = low === 3 ? line[3] : line[low] + (at - low) * (line[low + 1] - line[low]);
    if (at > 0 && at < 3) assert.ok(Math.abs(value - inside) < 1e-5, `${i}: ${value}, ${inside}`);
  });
});

test('images and weights are unpacked as they were', async () => {
  const random = chance(2);
  const pixels = Uint8Array.from({ length: 3 * 5 * 4 }, () => 256 * random());
  assert.deepEqual(await unpackImage(packed(differences(pixels, 5)), 5), pixels);
  assert.deepEqual(await unpackImage(await packImage(pixels, 5), 5), pixels);
  assert.deepEqual(await unpack(await pack(pixels)), pixels);
  const levels = Int8Array.from([-127, 5, 0, 100]);
  const steps = Float32Array.from([0.5, 0.25]);
  const weights = await unpackWeights({ shape: [2, 1, 1, 2], steps: packed(steps), levels: packed(levels) });
  assert.deepEqual([...weights], [-63.5, 2.5, 0, 25]);
});

test('parts move no further than to the edge, and back again', async () => {
  const made = await material();
  const whole = states.wholeObject(made, 'a');
  const nose = (state) => state.parts.find((part) => part.slot === 'nose');
  assert.equal(nose(states.moved(made, whole, ['nose'], 3, -2)).rows, 3);
  const far = nose(states.moved(made, whole, ['nose'], 1000, -1000));
  assert.deepEqual([far.rows, far.columns], [50 - 20 - 8, -17]);
  assert.deepEqual(states.moved(made, states.moved(made, whole, KINDS, 5, 5), KINDS, -5, -5), whole);
  assert.deepEqual(whole, states.wholeObject(made, 'a'));
});

test('two parts exchanged twice are where they were, and a turn all around is none', async () => {
  const made = await material();
  const whole = states.wholeObject(made, 'a');
  const swapped = states.swapped(whole, 'nose', 'mouth');
  assert.equal(states.verdict(swapped), false);
  assert.deepEqual(states.swapped(swapped, 'nose', 'mouth'), whole);
  let turned = whole;
  for (let i = 0; i < 4; i += 1) turned = states.posed(made, turned, ['nose'], 90, 1);
  assert.deepEqual(turned, whole);
  assert.equal(states.verdict(whole), true);
  assert.deepEqual(states.posed(made, whole, ['nose'], 0, 3), whole); // larger than a part may become
});

test('a link holds the state, and a damaged one holds none', async () => {
  const made = await material();
  const random = chance(3);
  for (let i = 0; i < 50; i += 1) {
    const start = { ...states.wholeObject(made, 'b'), flip: i % 2 === 1, placement: ['left', 'middle', 'right'][i % 3] };
    let state = states.drawnAtRandom(made, start, i % 2 === 0, random);
    state = states.withParts(state, ['mouth'], () => ({ donor: 'a', shown: i % 5 > 0 }));
    const link = states.toLink(made, state);
    assert.match(link, /^[\w-]+$/);
    assert.deepEqual(states.fromLink(made, link), state);
    assert.equal(states.fromLink(made, link.slice(0, -4 - Math.floor(20 * random()))), null);
  }
  const elsewhere = { ...made, names: ['c'], scheme: made.scheme };
  assert.equal(states.fromLink(elsewhere, states.toLink(made, states.wholeObject(made, 'a'))), null);
  for (const text of ['', '%', 'e30', btoa('[1]'), btoa('null')]) assert.equal(states.fromLink(made, text), null);
});

test('scrambled stimuli hold every part once, and the correct ones each in its slot', async () => {
  const made = await material();
  const whole = states.wholeObject(made, 'a');
  for (const scramble of [true, false]) {
    const drawn = states.drawnAtRandom(made, whole, scramble, chance(4));
    assert.deepEqual(drawn.parts.map((part) => part.kind).sort(), [...KINDS].sort());
    assert.equal(states.isCorrect(drawn), !scramble);
  }
});

test('parts cut from an image and put back on its canvas are the image', async () => {
  const made = await material();
  const [rows, columns] = [120, 90];
  const random = chance(6);
  const pixels = Uint8Array.from({ length: 3 * rows * columns }, () => 256 * random());
  const outlines = meanOutlines([made.exemplar('a'), made.exemplar('b')], KINDS, rows, columns);
  // The boxes of these exemplars, whose masks are all of them, in an image of another size; with 15 % of room.
  const [row, column, high, wide] = [20, 17, 8, 5].map((n, i) => n * [rows / 50, columns / 40][i % 2]);
  const nose = outlines[2];
  assert.ok(Math.abs(nose.row + nose.rows / 2 - row - high / 2) <= 1 && Math.abs(nose.rows - 1.15 * high) <= 1);
  assert.ok(Math.abs(nose.column + nose.columns / 2 - column - wide / 2) <= 1 && nose.columns === 16); // the least
  const own = cutExemplar('own', { rows, columns, pixels }, outlines);
  const inside = new Set();
  for (const part of own.parts.values()) {
    part.mask.forEach((one, i) => one && inside.add((part.row + Math.floor(i / part.columns)) * columns + part.column + (i % part.columns)));
  }
  assert.ok(inside.size > 400 && inside.size < rows * columns / 2);
  assert.ok(own.canvas.every((value, i) => inside.has(Math.floor(i / 3)) || value === pixels[i]));
  made.add(own);
  made.blend = 1;
  const whole = drawn(made, states.wholeObject(made, 'own'));
  const [side, left] = [whole.scene.side, whole.scene.corner[1]];
  const large = whole.large();
  assert.ok(pixels.every((value, i) => value === large[3 * (Math.floor(i / 3 / columns) * side + left) + (i % (3 * columns))]));
});

test('what is filled is as flat, or as steep, as what is around it, up to the edge of the image', () => {
  const [rows, columns] = [100, 80];
  const image = (level) => ({
    rows, columns, pixels: Uint8Array.from({ length: 3 * rows * columns }, (_, i) => level(Math.floor(i / 3 / columns), Math.floor(i / 3) % columns, i % 3)),
  });
  const box = { kind: 'nose', row: 0, column: 0, rows: 0, columns: 0, power: 2 };
  const outlines = [placed(box, [50, 30], [60, 40], rows, columns), placed(box, [0, 90], [30, 30], rows, columns)];
  assert.deepEqual([outlines[1].row, outlines[1].column], [0, 50]);
  // Something else inside the outlines, which has to vanish.
  const part = (r, c) => ((r - 50) / 28) ** 2 + ((c - 30) / 18) ** 2 < 1;
  const flat = cutExemplar('flat', image((r, c, k) => (part(r, c) ? 255 * (r % 2) : [200, 150, 120][k])), outlines);
  assert.ok(flat.canvas.every((value, i) => value === [200, 150, 120][i % 3]));
  assert.deepEqual(flat.skin, [200, 150, 120]);
  const steep = cutExemplar('steep', image((r, c) => (part(r, c) ? 0 : r + c)), outlines.slice(0, 1));
  steep.canvas.forEach((value, i) => assert.ok(Math.abs(value - Math.floor(i / 3 / columns) - (Math.floor(i / 3) % columns)) <= 1));
});

test('an image covers everything, however it is moved', () => {
  const image = { kind: '', row: 0, column: 0, rows: 30, columns: 90, power: Infinity };
  for (const [middle, size] of [[[0, 0], [30, 90]], [[500, -70], [200, 600]], [[50, 40], [1, 3]]]) {
    const { row, column, rows, columns } = covering(image, middle, size, 100, 80);
    assert.ok(row <= 0 && column <= 0 && row + rows >= 100 - 1e-9 && column + columns >= 80);
    assert.ok(Math.abs(columns / rows - 3) < 1e-9);
  }
});

test('a network responds as layers written out, with WebAssembly and without', async () => {
  const [size, channels] = [16, 8];
  const random = chance(5);
  const floats = (n, scale) => Float32Array.from({ length: n }, () => scale * (random() - 0.5));
  const [weights, bias] = [floats(channels * 27, 0.2), floats(channels, 4)];
  const [factor, term] = [floats(channels, 2), floats(channels, 2)];
  const [heads, headBias] = [floats(2 * 64 * channels, 0.1), floats(2, 1)];
  const stored = (values, shape) => ({ shape, values: packed(values) });
  const described = {
    means_bgr: [100, 110, 120],
    blocks: [{
      weights: stored(weights, [channels, 3, 3, 3]), bias: packed(bias), factor: packed(factor), term: packed(term),
    }],
    head: { kind: 'dense', weights: stored(heads, [2, 64 * channels]), bias: packed(headBias) },
  };
  const image = Uint8Array.from({ length: 3 * size * size }, () => 256 * random());
  const input = (y, x, c) =>
    y < 0 || x < 0 || y >= size || x >= size ? 0 : image[3 * (y * size + x) + 2 - c] - described.means_bgr[c];
  const convolved = (y, x, k) => {
    let sum = bias[k];
    for (let i = 0; i < 3; i += 1) {
      for (let j = 0; j < 3; j += 1) {
        for (let c = 0; c < 3; c += 1) sum += weights[27 * k + 9 * i + 3 * j + c] * input(y + i - 1, x + j - 1, c);
      }
    }
    return sum;
  };
  const logits = [...headBias];
  for (let y = 0; y < size / 2; y += 1) {
    for (let x = 0; x < size / 2; x += 1) {
      for (let k = 0; k < channels; k += 1) {
        const four = [0, 1].flatMap((i) => [0, 1].map((j) => convolved(2 * y + i, 2 * x + j, k)));
        const feature = Math.max(0, ...four) * factor[k] + term[k];
        for (const out of [0, 1]) logits[out] += feature * heads[64 * channels * out + (8 * y + x) * channels + k];
      }
    }
  }
  const expected = logits[1] - logits[0];
  for (const plain of [false, true]) {
    const respond = await makeNetwork(described, size, plain);
    for (let again = 0; again < 2; again += 1) {
      assert.ok(Math.abs(respond(image).logOdds - expected) < 1e-3 * Math.abs(expected) + 1e-3);
    }
  }
});

test('German says all that English does, of values that English knows', () => {
  const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  assert.deepEqual(Object.keys(german).sort(), Object.keys(english).sort());
  assert.ok(Object.keys(englishNames).every((name) => name in germanNames)); // the rest is English by itself
  for (const [key, text] of Object.entries(german)) {
    assert.ok(values(text).every((name) => values(english[key]).includes(name)), key);
  }
});

test('an image is laid so that the portrait in it fills the canvas, and outlines around the parts found', () => {
  const [rows, columns, kind] = [512, 372, ''];
  const image = { kind, row: 0, column: 0, rows: 700, columns: 900, power: Infinity };
  const means = ['left_eye', 'mouth'].map((name, i) => ({ kind: name, row: 0, column: 0, rows: 20, columns: 30, power: 2 + 6 * i }));
  // In pixels: a portrait of 350 by 254.3 from (70, 300) on, an eye of 35 by 45 and a mouth of 70 by 90.
  const crop = { row: 0.1, column: 1 / 3, rows: 0.5, columns: (350 * columns) / rows / 900 };
  const outlines = [
    { kind: 'mouth', row: 0.4, column: 0.45, rows: 0.1, columns: 0.1 },
    { kind: 'left_eye', row: 0.2, column: 0.4, rows: 0.05, columns: 0.05 },
  ];
  const scale = rows / 350;
  const [lies, eye, mouth] = foundOutlines({ crop, outlines }, image, means, rows, columns);
  const near = (value, wanted, by = 1) => assert.ok(Math.abs(value - wanted) <= by, `${value}, ${wanted}`);
  [lies.row, lies.column, lies.rows, lies.columns].forEach((value, i) => near(value, [-70, -300, 700, 900][i] * scale, 1e-6));
  near(eye.row + eye.rows / 2, (157.5 - 70) * scale);
  near(eye.column + eye.columns / 2, (382.5 - 300) * scale);
  near(mouth.rows, 1.3 * 70 * scale);
  near(mouth.columns, 1.3 * 90 * scale);
  assert.deepEqual([eye.kind, eye.power, mouth.kind, mouth.power], ['left_eye', 2, 'mouth', 8]);
  // Where the image ends before the portrait does, it still covers the canvas.
  const [cut] = foundOutlines({ crop: { row: 0, column: 0, rows: 0.5, columns: 0.1 }, outlines }, image, means, rows, columns);
  assert.ok(cut.row <= 0 && cut.column <= 0 && cut.row + cut.rows >= rows && cut.column + cut.columns >= columns);
});

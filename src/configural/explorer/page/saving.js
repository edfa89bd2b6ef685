// What a visitor takes along: images, tables and a card.

import { asImageData } from './drawing.js';
import { isCorrect } from './state.js';

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {Uint8ClampedArray} rgb @param {number} size */
export function asCanvas(rgb, size) {
  const canvas = document.createElement('canvas');
  canvas.width = size;
  canvas.height = size;
  canvas.getContext('2d')?.putImageData(asImageData(rgb, size), 0, 0);
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export const asPng = (canvas) =>
  new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no image'))), 'image/png');
  });

/** @param {(string | number)[][]} rows */
export function asCsv(rows) {
  const cell = (/** @type {string | number} */ value) =>
    /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return new Blob([rows.map((row) => row.map(cell).join(',')).join('\n') + '\n'], { type: 'text/csv' });
}

/**
 * Column names and values of a state, as a table of stimuli has them, and what it has besides.
 * @param {import('./material.js').Material} material
 * @param {import('./state.js').State} state
 * @param {number} index
 */
export function tableRow(material, state, index = 0) {
  const label = Number(isCorrect(state));
  const name = material.scheme.class_names[label];
  /** @type {Record<string, string | number>} */
  const row = {
    index, subset: 'test', label, class_name: name, file: `test/${name}/${String(index).padStart(5, '0')}.png`,
    host: state.exemplar, placement: state.placement,
  };
  for (const part of state.parts) {
    Object.assign(row, {
      [`${part.slot}_kind`]: part.kind, [`${part.slot}_donor`]: part.donor,
      [`${part.slot}_row`]: part.rows, [`${part.slot}_col`]: part.columns,
    });
  }
  Object.assign(row, { inverted: state.flip ? 'True' : 'False', background: state.canvas === 'own' ? 'canvas' : state.canvas });
  for (const part of state.parts) {
    Object.assign(row, {
      [`${part.slot}_turn`]: part.turn, [`${part.slot}_scale`]: part.scale, [`${part.slot}_shown`]: part.shown ? 'True' : 'False',
    });
  }
  return row;
}

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#7a5195'];

/**
 * A card of 1,200 × 630 pixels with the image and what each model says.
 * @param {HTMLCanvasElement} image
 * @param {{name: string, text: string, share: number}[]} bars
 * @param {{line: string, foot: string}} words
 */
export function shareCard(image, bars, words) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [1200, 630];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const font = (/** @type {number} */ size, weight = 400) => `${weight} ${size}px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif`;
  context.fillStyle = '#fcfbf9';
  context.fillRect(0, 0, 1200, 630);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, 630, 630);
  context.fillStyle = '#1d2126';
  context.font = font(38, 650);
  const bottom = wrappedText(context, words.line, { left: 680, top: 92, width: 470, step: 48 });
  const shown = bars.slice(0, 4);
  const step = Math.min(128, (510 - bottom) / Math.max(shown.length, 1));
  shown.forEach((bar, i) => {
    const y = bottom + 84 + i * step;
    context.fillStyle = '#1d2126';
    context.font = font(25, 600);
    context.fillText(bar.name, 680, y, 290);
    context.textAlign = 'right';
    context.fillText(bar.text, 1150, y, 180);
    context.textAlign = 'left';
    context.fillStyle = '#e6e2db';
    context.fillRect(680, y + 16, 470, 20);
    context.fillStyle = COLOURS[i % 4];
    context.fillRect(680, y + 16, 470 * bar.share, 20);
  });
  context.fillStyle = '#5b6470';
  context.font = font(19);
  context.fillText(words.foot, 680, 596, 470);
  return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {string} text @param {{left: number, top: number, width: number, step: number}} box */
function wrappedText(context, text, { left, top, width, step }) {
  let line = '';
  let y = top;
  for (const word of text.split(' ')) {
    const longer = line ? `${line} ${word}` : word;
    if (line && context.measureText(longer).width > width) {
      context.fillText(line, left, y);
      y += step;
      line = word;
    } else {
      line = longer;
    }
  }
  context.fillText(line, left, y);
  return y;
}

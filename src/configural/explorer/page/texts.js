// The page's words, in the language of the browser.

import { english, englishNames } from './english.js';
import { german, germanNames } from './german.js';

const LANGUAGES = { en: { words: english, names: englishNames }, de: { words: german, names: germanNames } };

/** @typedef {'en' | 'de'} Language */

export class Texts {
  /** @param {Language} language */
  constructor(language) {
    this.language = language;
    this.held = LANGUAGES[language];
  }

  /** The language that the browser prefers, of those that there are. */
  static preferred() {
    const first = navigator.languages.map((name) => name.slice(0, 2)).filter((name) => name in LANGUAGES)[0];
    return /** @type {Language} */ (first ?? 'en');
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  say(key, values = {}) {
    return (this.held.words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
  }

  /** What an object, a class or a part kind is called. @param {string} name */
  name(name) {
    return this.held.names[name] ?? name.replaceAll('_', ' ');
  }
}

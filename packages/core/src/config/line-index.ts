/**
 * Where each key of a TOML document stands. The parser gives values without positions, and a
 * problem without its line sends an operator searching through two hundred of them.
 *
 * The text must already have been accepted by the parser: this only finds the ends of things and
 * does not check them again. One pass, no backtracking.
 */
import { parse } from 'smol-toml';

/** Keys and, inside arrays, positions: `['providers', 0, 'model_rates', 'gpt-4o', 'input_rate']`. */
export type Path = readonly (string | number)[];

/** The line of a path, counted from 1; of its nearest ancestor where it does not stand there. */
export type LineIndex = (path: Path) => number;

export function indexLines(text: string): LineIndex {
  const lines = new Scanner(text).scan();
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(pathKey(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
}

export const pathKey = (path: Path): string => JSON.stringify(path);

const BLANK = /[ \t\r\n]/;
/** What ends a number, a boolean or a date. */
const BARE_END = /[,\]}#\r\n]/;

class Scanner {
  readonly #text: string;
  #at = 0;
  /** The line that `#countedTo` stands on; counting goes forward only. */
  #line = 1;
  #countedTo = 0;
  readonly #lines = new Map<string, number>();
  /** Elements so far of each array of tables. */
  readonly #tables = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith('\uFEFF')) this.#at = 1;
  }

  scan(): Map<string, number> {
    let table: Path = [];
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      if (this.#text[this.#at] === '[') table = this.#header();
      else this.#pair(table);
    }
    return this.#lines;
  }

  #header(): Path {
    const line = this.#lineHere();
    const array = this.#text.startsWith('[[', this.#at);
    this.#at += array ? 2 : 1;
    const keys = this.#keys(']');
    this.#at += array ? 2 : 1;
    const parent = this.#resolve(keys.slice(0, -1), line);
    let path: Path = [...parent, keys.at(-1)!];
    if (array) {
      const nth = this.#tables.get(pathKey(path)) ?? 0;
      this.#tables.set(pathKey(path), nth + 1);
      this.#recordFirst(path, line);
      path = [...path, nth];
    }
    this.#lines.set(pathKey(path), line);
    return path;
  }

  /** A header's path goes on in the newest element of each array of tables on its way. */
  #resolve(keys: readonly string[], line: number): Path {
    let path: Path = [];
    for (const key of keys) {
      path = [...path, key];
      this.#recordFirst(path, line);
      const elements = this.#tables.get(pathKey(path));
      if (elements !== undefined) path = [...path, elements - 1];
    }
    return path;
  }

  /** `key = value` in `table`. */
  #pair(table: Path): void {
    const line = this.#lineHere();
    let path = table;
    for (const key of this.#keys('=')) {
      path = [...path, key];
      this.#recordFirst(path, line);
    }
    this.#at++;
    this.#blank();
    this.#value(path);
  }

  #value(path: Path): void {
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") this.#quoted(first);
    else if (first === '[') this.#array(path);
    else if (first === '{') this.#inlineTable(path);
    else while (this.#at < this.#text.length && !BARE_END.test(this.#text[this.#at]!)) this.#at++;
  }

  #array(path: Path): void {
    this.#at++;
    this.#blank();
    for (let nth = 0; this.#inside(']'); nth++) {
      this.#recordFirst([...path, nth], this.#lineHere());
      this.#value([...path, nth]);
      this.#comma();
    }
    this.#at++;
  }

  #inlineTable(path: Path): void {
    this.#at++;
    this.#blank();
    while (this.#inside('}')) {
      this.#pair(path);
      this.#comma();
    }
    this.#at++;
  }

  #inside(end: string): boolean {
    return this.#at < this.#text.length && this.#text[this.#at] !== end;
  }

  #comma(): void {
    this.#blank();
    if (this.#text[this.#at] === ',') this.#at++;
    this.#blank();
  }

  /** A dotted key up to `end`, unquoted. */
  #keys(end: string): string[] {
    const keys: string[] = [];
    while (this.#inside(end)) {
      const char = this.#text[this.#at]!;
      if (char === '.' || BLANK.test(char)) {
        this.#at++;
        continue;
      }
      const start = this.#at;
      if (char === '"' || char === "'") this.#quoted(char);
      else while (this.#inside(end) && !/[.\s]/.test(this.#text[this.#at]!)) this.#at++;
      const raw = this.#text.slice(start, this.#at);
      keys.push(char === '"' || char === "'" ? String(parse(`k=${raw}`).k) : raw);
    }
    return keys;
  }

  /** Past a string in either kind of quotes, on one line or several. */
  #quoted(quote: string): void {
    const long = quote.repeat(3);
    const close = this.#text.startsWith(long, this.#at) ? long : quote;
    this.#at += close.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(close, this.#at)) {
      this.#at += quote === '"' && this.#text[this.#at] === '\\' ? 2 : 1;
    }
    this.#at += close.length;
    // A long string may end with up to two quotes of its own before its delimiter.
    if (close === long) while (this.#text[this.#at] === quote) this.#at++;
  }

  #blank(): void {
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end === -1 ? this.#text.length : end;
      } else if (BLANK.test(char)) this.#at++;
      else return;
    }
  }

  #recordFirst(path: Path, line: number): void {
    const key = pathKey(path);
    if (!this.#lines.has(key)) this.#lines.set(key, line);
  }

  #lineHere(): number {
    for (; this.#countedTo < this.#at; this.#countedTo++) {
      if (this.#text[this.#countedTo] === '\n') this.#line++;
    }
    return this.#line;
  }
}

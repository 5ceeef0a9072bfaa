/**
 * One table of the document, read key by key. Each read checks the type and the bounds, reports
 * what is wrong and answers `undefined`, so that reading goes on and all problems come out of one
 * run. The keys that were asked for are the keys that exist: `end()` refuses all others.
 */
import { type Expanded, isTable, UNRESOLVED } from './expand-env.ts';
import type { Findings } from './findings.ts';
import { type Path, pathKey } from './line-index.ts';
import { nearest } from './nearest.ts';
import { Secret } from './secret.ts';

export interface Reading {
  readonly findings: Findings;
  readonly fromEnv: Expanded['fromEnv'];
  /** Paths that were refused before reading began. */
  readonly refused: ReadonlySet<string>;
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** "sats per 1M tokens", for the message. */
  readonly unit?: string;
}

/** What stands for every secret in the example files. */
const PLACEHOLDER = 'change-me';

export class TableReader {
  readonly path: Path;
  readonly #table: Readonly<Record<string, unknown>>;
  readonly #reading: Reading;
  readonly #known = new Set<string>();

  constructor(table: unknown, path: Path, reading: Reading) {
    this.path = path;
    this.#reading = reading;
    this.#table = isTable(table) ? table : {};
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key);
  }

  isText(key: string): boolean {
    return this.has(key) && typeof this.#table[key] === 'string';
  }

  at(key: string): Path {
    return [...this.path, key];
  }

  problem(key: string, message: string): undefined {
    this.#reading.findings.problem(this.at(key), message);
  }

  problemAt(path: Path, message: string): void {
    this.#reading.findings.problem(path, message);
  }

  warn(key: string, message: string): void {
    this.#reading.findings.warn(this.at(key), message);
  }

  lineOf(key: string): number {
    return this.#reading.findings.lineOf(this.at(key));
  }

  text(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.problem(key, `${key} must be a string in quotes`);
    if (value.trim() === '') return this.problem(key, `${key} is empty; give it a value`);
    return value;
  }

  /** `fromEnv`: the value, or a part of it, came from a `${VAR}`. */
  secret(key: string): { secret: Secret; fromEnv: boolean } | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const fromEnv = this.#reading.fromEnv(this.at(key));
    if (value.startsWith(PLACEHOLDER)) {
      return this.problem(
        key,
        `${key} is still the placeholder of .env.example; run the line that is written there`,
      );
    }
    if (hasControlCharacter(value)) {
      const origin = fromEnv ? 'the variable that it is read from' : 'the value';
      return this.problem(key, `${key} holds a line break or control character; clean ${origin}`);
    }
    if (/[^\x20-\x7e]/.test(value)) {
      this.warn(key, `${key} holds characters outside ASCII, which an HTTP header may not carry`);
    }
    return { secret: new Secret(value), fromEnv };
  }

  oneOf<const T extends string>(key: string, values: readonly T[]): T | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const match = values.find((known) => known === value);
    // The value itself is not repeated: it may be a secret in the wrong place.
    return (
      match ?? this.problem(key, `${key} must be one of ${quoteAll(values)}${hint(value, values)}`)
    );
  }

  flag(key: string): boolean | undefined {
    const value = this.#take(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.problem(key, `${key} must be true or false, without quotes`);
  }

  integer(key: string, bounds: Bounds): number | undefined {
    const value = this.number(key, bounds);
    if (value === undefined || Number.isInteger(value)) return value;
    return this.problem(key, `${key} must be a whole number`);
  }

  number(key: string, { min, max, unit }: Bounds): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const range = `from ${min} to ${max}${unit === undefined ? '' : ` (${unit})`}`;
    if (typeof value !== 'number') {
      return this.problem(key, `${key} must be a number ${range}, without quotes`);
    }
    if (value >= min && value <= max) return value;
    return this.problem(key, `${key} must be a number ${range}`);
  }

  /** A list of strings, each once. */
  texts(key: string): string[] | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.problem(key, `${key} must be a list: ["…", "…"]`);
    const texts: string[] = [];
    for (const [nth, element] of value.entries()) {
      if (element === UNRESOLVED) continue;
      const where = [...this.at(key), nth];
      if (typeof element !== 'string' || element.trim() === '') {
        this.#reading.findings.problem(where, `${key} must hold strings in quotes, none empty`);
      } else if (texts.includes(element)) {
        this.#reading.findings.problem(where, `"${element}" stands twice in ${key}; remove one`);
      } else texts.push(element);
    }
    return texts;
  }

  /** A table; an empty one where the key is absent or wrong. */
  table(key: string): TableReader {
    const value = this.#take(key);
    if (value !== undefined && !isTable(value)) {
      this.problem(key, `${key} must be a table: [${tableName(this.at(key))}]`);
    }
    return new TableReader(value, this.at(key), this.#reading);
  }

  /** An array of tables: `[[key]]`. */
  tables(key: string): TableReader[] {
    const value = this.#take(key);
    if (value === undefined) return [];
    const name = tableName(this.at(key));
    if (!Array.isArray(value) || !value.every(isTable)) {
      this.problem(key, `${key} must be an array of tables; write [[${name}]] above each`);
      return [];
    }
    return value.map((table, nth) => new TableReader(table, [...this.at(key), nth], this.#reading));
  }

  /** The tables of a table, by name: `[key."name"]`. */
  namedTables(key: string): Map<string, TableReader> {
    const parent = this.table(key);
    return new Map(parent.keys().map((name) => [name, parent.table(name)]));
  }

  keys(): string[] {
    return Object.keys(this.#table);
  }

  /** Refuses every key that nobody asked for. */
  end(): void {
    for (const key of this.keys()) {
      if (this.#known.has(key) || this.#reading.refused.has(pathKey(this.at(key)))) continue;
      const table = this.path.length === 0 ? 'here' : `in [${tableName(this.path)}]`;
      const guess = nearest(key, this.#known);
      const fix =
        guess === null
          ? `known ${table}: ${[...this.#known].join(', ')}`
          : `did you mean "${guess}"?`;
      this.problem(key, `unknown key "${key}" ${table}; ${fix}`);
    }
  }

  #take(key: string): unknown {
    this.#known.add(key);
    if (!this.has(key)) return undefined;
    const value = this.#table[key];
    return value === UNRESOLVED ? undefined : value;
  }
}

const quoteAll = (values: readonly string[]): string => values.map((v) => `"${v}"`).join(', ');

function hint(value: string, known: readonly string[]): string {
  const guess = nearest(value, known);
  return guess === null ? '' : `; did you mean "${guess}"?`;
}

/** The table's name as it is written in its header, without array positions. */
const tableName = (path: Path): string =>
  path
    .filter((part) => typeof part === 'string')
    .map((part) => (/^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part)))
    .join('.');

function hasControlCharacter(text: string): boolean {
  return [...text].some((char) => char < ' ' || char === '\u007f');
}

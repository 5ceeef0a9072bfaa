import type { Path } from './line-index.ts';

/** What is wrong, or suspicious, at one place of the file. Never holds a secret. */
export interface Finding {
  /** Counted from 1; 0 = the file as a whole. */
  readonly line: number;
  /** What is wrong, and the fix. */
  readonly message: string;
}

/** Collects everything that is wrong in one pass, so that an operator fixes a file once. */
export class Findings {
  readonly problems: Finding[] = [];
  readonly warnings: Finding[] = [];
  readonly #lineOf: (path: Path) => number;

  constructor(lineOf: (path: Path) => number) {
    this.#lineOf = lineOf;
  }

  problem(path: Path, message: string): void {
    this.problems.push({ line: this.#lineOf(path), message });
  }

  warn(path: Path, message: string): void {
    this.warnings.push({ line: this.#lineOf(path), message });
  }

  lineOf(path: Path): number {
    return this.#lineOf(path);
  }
}

/** In the order of the file; findings on one line keep the order in which they were found. */
export function byLine(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.line - b.line);
}

/** "config.toml:12: what is wrong, and the fix", as editors and terminals link it. */
export function formatFinding(file: string, finding: Finding): string {
  const place = finding.line > 0 ? `${file}:${finding.line}` : file;
  return `${place}: ${finding.message}`;
}

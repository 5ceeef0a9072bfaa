/**
 * `${VAR}` in every string of the document, wherever it stands: a token that is expanded in one
 * section and sent literally in another is a 401 that nobody understands.
 */
import type { Findings } from './findings.ts';
import { type Path, pathKey } from './line-index.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Stands for a string whose variable is missing: reported once, and no second time as a bad value. */
export const UNRESOLVED = Symbol('unresolved');

export interface Expanded {
  /** The document with its variables filled in. */
  readonly document: unknown;
  /** Whether the string at this path held a variable. */
  fromEnv(path: Path): boolean;
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OPENING = /\$\{([^}]*)(\}?)/g;

export function expandEnv(document: unknown, env: Env, findings: Findings): Expanded {
  const expanded = new Set<string>();
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      if (!value.includes('${')) return value;
      expanded.add(pathKey(path));
      return expandText(value, path, env, findings);
    }
    if (Array.isArray(value)) return value.map((element, nth) => walk(element, [...path, nth]));
    if (!isTable(value)) return value;
    const entries = Object.entries(value).map(([key, v]) => [key, walk(v, [...path, key])]);
    return Object.fromEntries(entries);
  };
  return {
    document: walk(document, []),
    fromEnv: (path) => expanded.has(pathKey(path)),
  };
}

function expandText(text: string, path: Path, env: Env, findings: Findings) {
  let whole = true;
  const missing = (message: string): string => {
    findings.problem(path, message);
    whole = false;
    return '';
  };
  const result = text.replace(OPENING, (_all, name: string, close: string) => {
    if (close === '') return missing(`"\${" without "}"; write \${NAME}`);
    if (!VARIABLE_NAME.test(name)) {
      return missing(
        `"\${…}" must hold the name of an environment variable, such as \${ALPHA_KEY}`,
      );
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) {
      return missing(`environment variable ${name} is not set; set it, or write the value here`);
    }
    return value;
  });
  return whole ? result : UNRESOLVED;
}

/** A TOML table; dates are objects too. */
export function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Date);
}

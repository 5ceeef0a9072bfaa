/**
 * Keys that earlier releases understood and this one does not. Each is refused with what to write
 * instead: silently ignoring `max_sats_per_1k_output` removed people's spending caps, and reading
 * per-1k rates as per-1M billed a thousandth of the price.
 */
import { FEATURE_GROUPS } from '../complexity/measures.ts';
import { isTable } from './expand-env.ts';
import type { Findings } from './findings.ts';
import { type Path, pathKey } from './line-index.ts';

/** The score is learned from data now, and has parts of other names. */
const WEIGHTS = Object.fromEntries(
  [
    'context_length',
    'code_blocks',
    'multi_file',
    'reasoning_keywords',
    'conversation_depth',
    'extra_keywords',
  ].map((name) => [
    name,
    `is gone: the complexity score is calibrated on data now; remove it, or weigh ${FEATURE_GROUPS.join(', ')}`,
  ]),
);

/** By table, without array positions; '*' = in any table. */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '*': {
    max_sats_per_1k_output:
      'is now max_sats_per_1m_output, in sats per 1M tokens; multiply the value by 1000',
    rate_unit: 'is gone; rates are always in sats per 1M tokens (1 sat per 1k tokens = 1000)',
  },
  '': {
    tokenstats:
      'is gone; give each seller its own [[providers]] table with url, models, input_rate and output_rate',
  },
  server: {
    host: 'is part of listen; write listen = "127.0.0.1:8080"',
    port: 'is part of listen; write listen = "127.0.0.1:8080"',
  },
  database: { url: 'is now path; write path = "./data/arbstr.db"' },
  vault: {
    token: 'is now internal_token',
    api_key: 'is now internal_token',
    agent_token: 'is gone; each caller sends its own as Authorization: Bearer vtk_…',
  },
  providers: {
    source: 'is gone, with the market feed that it came from; remove it',
    provider_id: 'is gone, with the market feed that it came from; remove it',
    base_url: 'is now url',
  },
  routing: {
    standard_threshold: 'is now complexity_threshold_low',
    frontier_threshold: 'is now complexity_threshold_high',
  },
  'routing.complexity_weights': WEIGHTS,
};

/** Reports every renamed key of the document; answers their paths, so that none is reported twice. */
export function refuseRenamedKeys(document: unknown, findings: Findings): ReadonlySet<string> {
  const refused = new Set<string>();
  const walk = (value: unknown, path: Path): void => {
    if (Array.isArray(value)) {
      for (const [nth, element] of value.entries()) walk(element, [...path, nth]);
    }
    if (!isTable(value)) return;
    for (const [key, child] of Object.entries(value)) {
      const instead = replacement(path, key);
      if (instead === null) walk(child, [...path, key]);
      else {
        findings.problem([...path, key], `"${key}" ${instead}`);
        refused.add(pathKey([...path, key]));
      }
    }
  };
  walk(document, []);
  return refused;
}

function replacement(table: Path, key: string): string | null {
  const name = table.filter((part) => typeof part === 'string').join('.');
  for (const known of [RENAMED[name], RENAMED['*']]) {
    if (known !== undefined && Object.hasOwn(known, key)) return known[key]!;
  }
  return null;
}

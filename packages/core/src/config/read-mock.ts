/** `[providers.mock]`: how an in-process provider answers, and what it does wrong. */
import { DELAY_MS_MAX } from './read-server.ts';
import type { TableReader } from './read-table.ts';
import {
  MOCK_FAULT_KINDS,
  type MockFault,
  type MockFaultKind,
  type MockSettings,
} from './types.ts';

const MS = { min: 0, max: DELAY_MS_MAX, unit: 'ms' };
const CHUNKS = { min: 0, max: 1_000_000, unit: 'chunks' };

export const MOCK_DEFAULTS: MockSettings = Object.freeze({
  latencyMs: 0,
  chunkDelayMs: 0,
  answer: null,
  faults: Object.freeze([]),
  faultRate: 1,
});

export function readMock(table: TableReader): MockSettings {
  const perSecond = table.number('tokens_per_sec', { min: 0.001, max: 1_000_000 });
  const delay = table.number('chunk_delay_ms', MS);
  if (perSecond !== undefined && delay !== undefined) {
    table.problem('tokens_per_sec', 'tokens_per_sec and chunk_delay_ms say the same; keep one');
  }
  const settings: MockSettings = {
    latencyMs: table.number('latency_ms', MS) ?? MOCK_DEFAULTS.latencyMs,
    // A chunk carries about one token.
    chunkDelayMs: delay ?? (perSecond === undefined ? 0 : 1000 / perSecond),
    answer: table.text('answer') ?? null,
    faults: readFaults(table),
    faultRate: table.number('fault_rate', { min: 0, max: 1 }) ?? MOCK_DEFAULTS.faultRate,
  };
  table.end();
  return settings;
}

/** `fault = "reset"`, or a table with its numbers: `fault = { kind = "status", status = 503 }`. */
function readFaults(table: TableReader): MockFault[] {
  if (!table.has('fault')) return [];
  if (table.isText('fault')) {
    const kind = table.oneOf('fault', MOCK_FAULT_KINDS);
    return kind === undefined ? [] : [readFault(kind, null)];
  }
  const details = table.table('fault');
  if (!details.has('kind')) details.problem('kind', `kind is missing; add kind = "reset"`);
  const kind = details.oneOf('kind', MOCK_FAULT_KINDS);
  if (kind === undefined) return [];
  const fault = readFault(kind, details);
  details.end();
  return [fault];
}

function readFault(kind: MockFaultKind, details: TableReader | null): MockFault {
  switch (kind) {
    case 'status':
      return {
        kind,
        status: details?.integer('status', { min: 200, max: 599 }) ?? 500,
        retryAfterSecs: details?.number('retry_after', { min: 0, max: 86_400, unit: 's' }) ?? null,
        body: details?.text('body') ?? null,
      };
    case 'drip_headers':
      return { kind, intervalMs: details?.number('interval_ms', { ...MS, min: 1 }) ?? 100 };
    case 'die_mid_stream':
    case 'end_mid_stream':
    case 'stall_mid_stream':
    case 'error_mid_stream':
    case 'invalid_json_event':
      return { kind, afterChunks: details?.integer('after_chunks', CHUNKS) ?? 3 };
    case 'inflate_usage':
      return { kind, factor: details?.number('factor', { min: 0, max: 1_000_000_000 }) ?? 1000 };
    case 'slow_first_token':
    case 'slow_usage':
      return { kind, delayMs: details?.number('delay_ms', MS) ?? 5000 };
    default:
      return { kind };
  }
}

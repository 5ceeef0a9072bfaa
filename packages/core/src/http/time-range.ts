/** The time range of a reading route: `range`, or `since` and `until`. */
import { z } from 'zod';
import { type Refusal, refuse } from '../errors.ts';

const HOUR_MS = 3_600_000;
const RANGES = {
  last_1h: HOUR_MS,
  last_24h: 24 * HOUR_MS,
  last_7d: 7 * 24 * HOUR_MS,
  last_30d: 30 * 24 * HOUR_MS,
} as const;

/** RFC 3339, with a date alone meaning its first instant in UTC. */
const instantSchema = z.iso
  .datetime({ offset: true })
  .or(z.iso.date())
  .transform((text) => Date.parse(text));

export const rangeQuery = {
  range: z.enum(Object.keys(RANGES) as [keyof typeof RANGES]).default('last_7d'),
  since: instantSchema.optional(),
  until: instantSchema.optional(),
} as const;

interface Asked {
  readonly range: keyof typeof RANGES;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export function rangeOf(asked: Asked, nowMs: number): { sinceMs: number; untilMs: number } {
  const untilMs = asked.until ?? nowMs;
  return { sinceMs: asked.since ?? untilMs - RANGES[asked.range], untilMs };
}

export function badQuery(error: z.ZodError): Refusal {
  const issue = error.issues[0]!;
  const param = issue.code === 'unrecognized_keys' ? issue.keys[0]! : String(issue.path[0] ?? '');
  return refuse('invalid_request', `Query parameter ${JSON.stringify(param)}: ${issue.message}.`, {
    param,
  });
}

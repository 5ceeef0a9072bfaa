/** Options of `agents …`, named as the fields of the API. */
import { CHANGING, FLAG, parseOptions, UsageError } from './options.ts';
import { sats } from './table.ts';

/** Of a body, ready to send. */
export type Fields = Record<string, number | readonly string[] | null>;

type Kind = 'integer' | 'list';
export const POLICY_OPTIONS = {
  'max-transaction-msat': 'integer',
  'daily-limit-msat': 'integer',
  'max-fee-msat': 'integer',
  'approval-timeout-ms': 'integer',
  'alert-floor-msat': 'integer',
  'alert-cooldown-ms': 'integer',
  'allowed-models': 'list',
  'allowed-destinations': 'list',
} as const satisfies Record<string, Kind>;
const TOKEN_OPTIONS = {
  scopes: 'list',
  'expires-in-secs': 'integer',
  'overlap-secs': 'integer',
} as const satisfies Record<string, Kind>;

const optionsOf = (options: Record<string, Kind>) =>
  Object.fromEntries(Object.keys(options).map((name) => [name, { type: 'string' as const }]));

export interface AgentOptions {
  readonly json: boolean;
  readonly sweep: boolean;
  readonly yes: boolean;
  readonly idempotencyKey: string | undefined;
  readonly policy: Fields;
  readonly token: Fields;
  /** All that were given, by their names. */
  readonly values: object;
  readonly positionals: readonly string[];
}

export const LIMITS = Object.keys(POLICY_OPTIONS);
export const TOKEN_LIMITS = Object.keys(TOKEN_OPTIONS);

export function parseAgentOptions(args: readonly string[]): AgentOptions {
  const { values, positionals } = parseOptions(args, {
    ...CHANGING,
    sweep: FLAG,
    ...optionsOf(POLICY_OPTIONS),
    ...optionsOf(TOKEN_OPTIONS),
  });
  return {
    json: values.json === true,
    sweep: values.sweep === true,
    yes: values.yes === true,
    idempotencyKey: values['idempotency-key'] as string | undefined,
    policy: fieldsOf(values, POLICY_OPTIONS),
    token: fieldsOf(values, TOKEN_OPTIONS),
    values,
    positionals,
  };
}

/** Options into fields of a body: `--max-fee-msat 5` is `max_fee_msat: 5`; `none` lifts. */
function fieldsOf(values: Record<string, unknown>, options: Record<string, Kind>): Fields {
  const fields: Fields = {};
  for (const [name, kind] of Object.entries(options)) {
    const value = values[name];
    if (typeof value !== 'string') continue;
    fields[name.replaceAll('-', '_')] = fieldOf(name, kind, value);
  }
  return fields;
}

function fieldOf(name: string, kind: Kind, value: string): Fields[string] {
  if (value === 'none') return null;
  if (kind === 'list') return value.split(',');
  const number = Number(value);
  if (value === '' || !Number.isSafeInteger(number)) {
    throw new UsageError(`--${name} must be an integer, or none`);
  }
  return number;
}

export function showField(field: string, value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? '(nothing)' : value.join(', ');
  return field.endsWith('_msat') ? `${sats(Number(value))} sats` : `${value} ms`;
}

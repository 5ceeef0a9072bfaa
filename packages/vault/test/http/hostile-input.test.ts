/**
 * Walks every route that the API describes: what is not described is refused by name, whatever has
 * the wrong type or range is refused by name, and the money stays where it was. A new route with a
 * body must be added to the table below, or the first test fails.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { describeApi } from '../../src/http/describe-api.ts';
import {
  ADMIN_TOKEN,
  books,
  call,
  closeVaults,
  fundedAgent,
  held,
  INTERNAL_TOKEN,
  openVault,
  reserveBody,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `post /agents/{id}/deposit` */
  readonly name: string;
  readonly path: string;
  readonly fields: Readonly<Record<string, Schema>>;
  /** It takes a file, and no JSON. */
  readonly takesText: boolean;
}

let vault: TestVault;
let agent: TestAgent;
let hold: string;
let before: Record<string, number>;
const operations: Operation[] = await readOperations();

beforeAll(async () => {
  vault = await openVault({ agentRateLimitRps: 0 });
  agent = await fundedAgent(vault);
  hold = await held(vault, agent, 5_000);
  before = books(vault.path).accounts;
});
afterEach(() => {
  expect(books(vault.path).accounts).toEqual(before);
});
afterAll(closeVaults);

/** For every route that takes fields: a body that it would accept. */
const BODIES: Readonly<Record<string, () => Record<string, unknown>>> = {
  'post /agents': () => ({ name: 'x', metadata: { a: 'b' }, policy: {} }),
  'delete /agents/{id}': () => ({ sweep: false }),
  'post /agents/{id}/deposit': () => ({ amount_msat: 1 }),
  // Either the token or the rest; together they are refused as well, after each by itself.
  'post /agents/{id}/deposits': () => ({
    amount_msat: 1,
    rail: 'lightning',
    expires_in_secs: 60,
    cashu_token: 'cashuAe30',
  }),
  'post /operator/recovery/finish': () => ({ force: true }),
  'post /operator/simulated/deposits/{id}/pay': () => ({ amount_msat: 1 }),
  'put /operator/providers/{name}': () => ({
    payout_destination: 'seller@example.com',
    payout_threshold_msat: 1,
  }),
  'post /operator/providers/{name}/debit': () => ({ amount_msat: 1, reason: 'x' }),
  'post /agents/{id}/pay': () => ({
    amount_msat: 1,
    destination_type: 'lightning_address',
    destination: 'ann@pay.example',
    purpose: 'x',
    preferred_rail: 'lightning',
    max_fee_msat: 1,
    asset: 'BTC_simulated',
  }),
  'post /agents/{id}/withdrawals': () => ({
    destination: 'ann@pay.example',
    amount_msat: 1,
    max_fee_msat: 1,
  }),
  'post /operator/approvals/{approval_id}/approve': () => ({ reason: 'x' }),
  'post /operator/approvals/{approval_id}/deny': () => ({ reason: 'x' }),
  'post /agents/{id}/debit': () => ({ amount_msat: 1, reason: 'x' }),
  'post /agents/{id}/tokens': () => ({
    scopes: ['read'],
    overlap_secs: 60,
    expires_in_secs: 60,
  }),
  'put /agents/{id}/policy': fullPolicy,
  'patch /operator/agents/{id}/policy': fullPolicy,
  'post /operator/withdrawals': () => ({ destination: 'me@example.com', amount_msat: 1 }),
  'post /internal/authenticate': () => ({ agent_token: 'x' }),
  'post /internal/reserve': () =>
    reserveBody(vault, agent, { requested_model: 'm', expires_in_secs: 60 }),
  'post /internal/settle': () => ({
    reservation_id: hold,
    actual_msats: 1,
    tokens_in: 1,
    tokens_out: 1,
    provider: 'p',
    latency_ms: 1,
    provider_cost_msats: 1,
    baseline_msats: 1,
    estimated: true,
    agent_id: agent.id,
    correlation_id: 'c',
    model: 'm',
    metadata: {},
  }),
  'post /internal/release': () => ({ reservation_id: hold, reason: 'x' }),
  'post /internal/extend': () => ({ reservation_id: hold, expires_in_secs: 60 }),
};

function fullPolicy() {
  return {
    max_transaction_msat: 1,
    daily_limit_msat: 1,
    max_fee_msat: 1,
    approval_timeout_ms: 60_000,
    alert_floor_msat: 1,
    alert_cooldown_ms: 60_000,
    allowed_models: ['m'],
    allowed_destinations: ['d'],
  };
}

const AUTH = { authorization: `Bearer ${ADMIN_TOKEN}`, 'x-internal-token': INTERNAL_TOKEN };

const pathOf = ({ path }: Operation): string =>
  path
    .replace('/internal/reservations/{id}', `/internal/reservations/${hold}`)
    .replace('{id}', agent.id)
    .replace('{token_id}', 'tok_01JABCDEFGHJKMNPQRSTVWXYZ0')
    .replaceAll(/\{\w+\}/g, 'x');

/** Only an agent pays; everything else the operator may try. */
const authOf = ({ name }: Operation) =>
  /(pay|withdrawals)$/.test(name) && name.startsWith('post /agents/')
    ? { authorization: `Bearer ${agent.token}` }
    : AUTH;

const typeOf = ({ takesText }: Operation): string =>
  takesText ? 'text/plain' : 'application/json';

const send = (operation: Operation, url: string, body?: unknown) =>
  call(vault, {
    method: operation.method,
    url,
    headers: {
      ...authOf(operation),
      ...(body === undefined ? {} : { 'content-type': typeOf(operation) }),
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });

const withFields = operations.filter(({ fields }) => Object.keys(fields).length > 0);

test('the table has a body for every route that takes fields, and it is complete', () => {
  expect(withFields.map(({ name }) => name).sort()).toEqual(Object.keys(BODIES).sort());
  for (const { name, fields } of withFields) {
    expect([name, Object.keys(BODIES[name]!()).sort()]).toEqual([name, Object.keys(fields).sort()]);
  }
});

test.each(operations)('$name refuses an unknown query parameter', async (operation) => {
  const body = operation.takesText ? 'x' : bodyOf(operation);
  const answer = await send(operation, `${pathOf(operation)}?amuont=1`, body);
  expect([answer.status, answer.body.error?.code]).toEqual([400, 'invalid_request']);
  expect(answer.body.error.message).toContain('amuont');
});

test.each(operations.filter(({ method, takesText }) => method !== 'GET' && !takesText))(
  '$name refuses an unknown field',
  async (operation) => {
    const body = { ...bodyOf(operation), amuont: 1 };
    const answer = await send(operation, pathOf(operation), body);
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.error.message).toContain('amuont');
  },
);

test.each(
  withFields.flatMap((operation) =>
    Object.entries(operation.fields).map(([field, schema]) => ({
      name: operation.name,
      field,
      operation,
      schema,
    })),
  ),
)('T10: $name refuses a wrong $field by name', async ({ operation, field, schema }) => {
  const { [field]: _, ...rest } = bodyOf(operation) ?? {};
  for (const text of hostileTexts(schema)) {
    const payload = `{"${field}":${text},${JSON.stringify(rest).slice(1)}`.replace(/,}$/, '}');
    const answer = await call(vault, {
      method: operation.method,
      url: pathOf(operation),
      headers: { ...authOf(operation), 'content-type': 'application/json' },
      payload,
    });
    const { status, body } = answer;
    const named = String(body.error?.param).split('.')[0];
    expect([text, status, body.error?.code, named]).toEqual([text, 400, 'invalid_request', field]);
  }
});

const HOSTILE_IDS = [
  "' OR 1=1 --",
  '%00',
  '..%2f..%2fetc%2fpasswd',
  '%E2%80%AE',
  'x'.repeat(500),
  '__proto__',
  'constructor',
  '-1',
];
/** Makes what it names, and a seller may be named like many things. */
const MAKES_WHAT_IT_NAMES = 'put /operator/providers/{name}';
test.each(
  operations.filter(({ name, path }) => path.includes('{') && name !== MAKES_WHAT_IT_NAMES),
)('$name knows no thing by a hostile id', async (operation) => {
  for (const id of HOSTILE_IDS) {
    const url = operation.path.replaceAll(/\{\w+\}/g, encodeURI(id).replaceAll('%25', '%'));
    const answer = await send(operation, url, bodyOf(operation));
    expect([id, [400, 404].includes(answer.status)]).toEqual([id, true]);
    expect(typeof answer.body.error.message).toBe('string');
  }
});

function bodyOf({ name }: Operation): Record<string, unknown> | undefined {
  return BODIES[name]?.();
}

const HOSTILE_TEXTS: Readonly<Record<string, readonly string[]>> = {
  integer: ['"1"', '"1e3"', '""', '9007199254740992', '1e21', '1e999', '-1', '0.5', '[]', 'true'],
  boolean: ['"true"', '1', '0', '[]', '{}'],
  string: ['1', 'true', '[]', '{}', `"${'x'.repeat(2_001)}"`],
  array: ['"x"', '{}', '[1]', '[null]', '[[]]', 'true'],
  object: ['"x"', '1', '[]', 'true', '[{}]'],
};

/** As they are written in a body, so that 1e999 arrives as that. */
function hostileTexts(schema: Schema): readonly string[] {
  const [kind] = (schema.anyOf ?? [schema])
    .flatMap(({ type }) => type ?? [])
    .filter((type) => type !== 'null');
  const texts = HOSTILE_TEXTS[String(kind)];
  if (texts === undefined) throw new Error(`no hostile values for ${JSON.stringify(schema)}`);
  return texts;
}

async function readOperations(): Promise<Operation[]> {
  const { paths } = (await describeApi()) as {
    paths: Record<
      string,
      Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>
    >;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => {
      const schema = requestBody?.content['application/json']?.schema;
      const object = schema?.anyOf?.find(({ type }) => type === 'object') ?? schema;
      return {
        method: method.toUpperCase() as Operation['method'],
        name: `${method} ${path}`,
        path,
        fields: object?.properties ?? {},
        takesText: requestBody?.content['text/plain'] !== undefined,
      };
    }),
  );
}

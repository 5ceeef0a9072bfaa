/**
 * A vault, a core and fake providers for clients in another language. Prints one line of JSON when
 * they are ready, and ends with them when its standard input closes, so that nothing is left however
 * the client ends.
 *
 * GET /calls/<x-request-id>  what providers were sent under that id
 * POST /verify               the vault's `verify`, on the running stack
 */
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { ADMIN_TOKEN, INTERNAL_TOKEN, type Stack, startStack } from '../support/stack.ts';
import {
  type Behave,
  FALLBACK_MODEL,
  failing,
  MODELS,
  PRICED_MODEL,
  PRICED_RATES,
  priced,
} from './models.ts';

/** Larger bodies are shown by their hash alone. */
const SHOWN_BYTES_MAX = 64 * 1024;

const modelOf = ({ json }: MockCall): string => (json as { model: string }).model;
const byModel: Behave = (call) => MODELS[modelOf(call)]!(call);

const pricedRates = Object.entries(PRICED_RATES).map(([key, sats]) => `${key} = ${sats}`);

const stack = await startStack({
  providers: [
    {
      name: 'alpha',
      models: Object.keys(MODELS),
      mock: { script: byModel },
      toml: 'timeouts = { idle_ms = 1000 }',
    },
    {
      name: 'trusted',
      models: [PRICED_MODEL],
      mock: { script: priced },
      toml: ['usage_tolerance = 0', `[providers.model_rates.${PRICED_MODEL}]`, ...pricedRates].join(
        '\n',
      ),
    },
    { name: 'cheap', models: [FALLBACK_MODEL], rate: 1000, mock: { script: failing(500) } },
    { name: 'dear', models: [FALLBACK_MODEL], rate: 2000, mock: { answer: 'Hello, world.' } },
  ],
  // Each test is to meet its provider, whatever the ones before it have done to it.
  toml: '[breaker]\nfailures = 1000\n[retry]\nbackoff_ms = 0\nretry_after_max_secs = 0\n',
});

const lookout = createServer((request, response) => {
  const { method, url = '' } = request;
  if (method === 'POST' && url === '/verify') void stack.verify().then(json(response));
  else if (url.startsWith('/calls/')) json(response)(callsOf(stack, url.slice('/calls/'.length)));
  else response.writeHead(404).end();
});
lookout.listen(0, '127.0.0.1', () => {
  const { port } = lookout.address() as AddressInfo;
  const ready = {
    core_url: stack.core.url,
    vault_url: stack.vault!.url,
    lookout_url: `http://127.0.0.1:${port}`,
    admin_token: ADMIN_TOKEN,
    internal_token: INTERNAL_TOKEN,
    priced_rates: PRICED_RATES,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
});

process.stdin.resume().once('end', () => void stack.stop().then(() => process.exit(0)));

function callsOf({ providers }: Stack, requestId: string): object[] {
  return Object.entries(providers).flatMap(([provider, { calls }]) =>
    calls.filter(({ headers }) => headers['x-request-id'] === requestId).map(shown(provider)),
  );
}

const shown =
  (provider: string) =>
  ({ headers, body, state, chunksSent }: MockCall) => ({
    provider,
    headers,
    body: body.length <= SHOWN_BYTES_MAX ? body.toString('utf8') : null,
    sha256: createHash('sha256').update(body).digest('hex'),
    /** running, answered, cut, or client_gone */
    state,
    chunks_sent: chunksSent,
  });

const json = (response: ServerResponse) => (value: unknown) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));

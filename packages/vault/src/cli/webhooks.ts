/** `webhooks`: events on their way to the operator's receiver, and the dead letters. */
import { createOperatorClient, listAll, type OperatorClient } from './client.ts';
import { FLAG, mustTake, operands, parseOptions, UsageError } from './options.ts';
import { printer } from './print.ts';
import { type Column, iso, table } from './table.ts';

interface Webhook {
  event_id: string;
  event: string;
  agent_id: string | null;
  sequence: number;
  state: string;
  tries: number;
  failure: string | null;
  next_try_at: number | null;
  created_at: number;
}

const COLUMNS: readonly Column<Webhook>[] = [
  { head: 'ID', of: ({ event_id }) => event_id },
  { head: 'STATE', of: ({ state }) => state },
  { head: 'EVENT', of: ({ event }) => event },
  { head: 'AGENT', of: ({ agent_id }) => agent_id },
  { head: 'NO', of: ({ sequence }) => String(sequence), right: true },
  { head: 'SINCE', of: ({ created_at }) => iso(created_at) },
  { head: 'TRIES', of: ({ tries }) => String(tries), right: true },
  { head: 'NEXT', of: ({ next_try_at }) => iso(next_try_at) },
  { head: 'FAILURE', of: ({ failure }) => failure },
];

export async function webhooksCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    json: FLAG,
    dead: FLAG,
    state: { type: 'string' },
    'idempotency-key': { type: 'string' },
  });
  const [action = 'list', ...ids] = positionals;
  const print = printer(values.json);
  if (action === 'list') {
    mustTake('webhooks list', values, ['json', 'state']);
    operands(ids, []);
    const webhooks = await listOf(createOperatorClient(environment), values.state ?? 'undelivered');
    print({ webhooks }, webhooks.length === 0 ? ['nothing'] : table(COLUMNS, webhooks));
    return 0;
  }
  if (action !== 'replay') throw new UsageError(`cannot ${action}`);
  mustTake('webhooks replay', values, ['json', 'dead', 'idempotency-key']);
  if (values.dead === ids.length > 0) throw new UsageError('replay needs either ids or --dead');
  const key = values['idempotency-key'];
  if (key !== undefined && ids.length !== 1) throw new UsageError('a key is good for one id');
  const chosen = values.dead
    ? (await listOf(createOperatorClient(environment), 'dead')).map((row) => row.event_id)
    : ids;
  const webhooks: object[] = [];
  for (const id of chosen) {
    const path = `/operator/webhooks/${encodeURIComponent(id)}/replay`;
    // A client of its own: an idempotency key is good for one of them.
    webhooks.push(await createOperatorClient(environment, key).call<object>('POST', path));
  }
  print({ webhooks }, [`${chosen.length} to be delivered again`]);
  return 0;
}

const listOf = (client: OperatorClient, state: string): Promise<Webhook[]> =>
  listAll<Webhook>(client, `/operator/webhooks?state=${encodeURIComponent(state)}`, 'webhooks');

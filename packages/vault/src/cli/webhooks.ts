/** `webhooks`: events on their way to the operator's receiver, and the dead letters. */
import { parseArgs } from 'node:util';
import { StartError } from '../errors.ts';
import { createOperatorClient, listAll, type OperatorClient } from './client.ts';

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

const USAGE =
  'usage: webhooks [list] [--state undelivered|dead|pending|delivered|all]\n       webhooks replay ID…\n       webhooks replay --dead\n';

export async function webhooksCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parse(args);
  const [action = 'list', ...ids] = positionals;
  const replays = action === 'replay' && values.dead !== ids.length > 0;
  const lists = action === 'list' && ids.length === 0 && !values.dead;
  if (!replays && !lists) {
    process.stderr.write(USAGE);
    return 2;
  }
  const client = createOperatorClient(environment);
  const print = (answer: object, lines: readonly string[]): void => {
    process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : `${lines.join('\n')}\n`);
  };
  if (lists) {
    const webhooks = await listOf(client, values.state);
    print({ webhooks }, webhooks.length === 0 ? ['nothing'] : webhooks.map(lineOf));
    return 0;
  }
  const chosen = values.dead ? (await listOf(client, 'dead')).map((row) => row.event_id) : ids;
  const webhooks: object[] = [];
  for (const id of chosen) {
    const path = `/operator/webhooks/${encodeURIComponent(id)}/replay`;
    // A client of its own: an idempotency key is good for one of them.
    webhooks.push(await createOperatorClient(environment).call<object>('POST', path));
  }
  print({ webhooks }, [`${chosen.length} to be delivered again`]);
  return 0;
}

const listOf = (client: OperatorClient, state: string): Promise<Webhook[]> =>
  listAll<Webhook>(client, `/operator/webhooks?state=${encodeURIComponent(state)}`, 'webhooks');

function lineOf(row: Webhook): string {
  const about = `${row.agent_id ?? '-'} #${row.sequence}`;
  const next = row.next_try_at === null ? '' : `  next ${iso(row.next_try_at)}`;
  const failure = row.failure === null ? '' : `  (${row.failure})`;
  return `${row.event_id}  ${row.state}  ${row.event}  ${about}  ${iso(row.created_at)}  ${row.tries} tries${next}${failure}`;
}

const iso = (ms: number): string => new Date(ms).toISOString();

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        dead: { type: 'boolean', default: false },
        state: { type: 'string', default: 'undelivered' },
      },
    });
  } catch (error) {
    throw new StartError((error as Error).message);
  }
}

/** `agents …` and `deposit`: the operator's shortcuts over the REST API. */
import { parseArgs } from 'node:util';
import { formatSats, msat } from '@arbstr/shared';
import { StartError } from '../errors.ts';
import { createOperatorClient, type OperatorClient } from './client.ts';
import { AGENTS_USAGE } from './usage.ts';

interface Call {
  readonly client: OperatorClient;
  readonly names: readonly string[];
  readonly limits: Record<string, number | null>;
  readonly print: (answer: object, lines: string[]) => void;
}

interface ListedAgent {
  id: string;
  name: string;
  disabled_at: number | null;
}

interface SetPolicy {
  policy: { version: number; max_transaction_msat: number | null; daily_limit_msat: number | null };
}

export async function agentsCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parse(args);
  const [action, ...names] = positionals;
  const call: Call = {
    client: createOperatorClient(environment),
    names,
    limits: limitsOf(values),
    print: (answer, lines) => {
      process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : `${lines.join('\n')}\n`);
    },
  };
  switch (action) {
    case 'create':
      await create(call);
      return 0;
    case 'list':
      await list(call);
      return 0;
    case 'policy':
      await policy(call);
      return 0;
    case 'disable':
      await disable(call);
      return 0;
    case 'deposit':
      await deposit(call);
      return 0;
    default:
      process.stderr.write(`usage:\n${AGENTS_USAGE}`);
      return 2;
  }
}

async function create({ client, names, limits, print }: Call): Promise<void> {
  const body = {
    name: required(names[0], 'a name'),
    ...(Object.keys(limits).length > 0 ? { policy: limits } : {}),
  };
  const answer = await client.call<{ agent_id: string; token: string }>('POST', '/agents', body);
  print(answer, [
    `agent  ${answer.agent_id}`,
    `token  ${answer.token}   (shown once; keep it)`,
    ...(Object.keys(limits).length > 0
      ? []
      : [`It may spend nothing before it has a policy: agents policy ${answer.agent_id} …`]),
  ]);
}

async function list({ client, print }: Call): Promise<void> {
  const agents: ListedAgent[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page: { agents: ListedAgent[]; next_cursor: string | null } = await client.call(
      'GET',
      `/agents?limit=100${query}`,
    );
    agents.push(...page.agents);
    cursor = page.next_cursor;
  } while (cursor !== null);
  print(
    { agents },
    agents.map(
      ({ id, name, disabled_at }) => `${id}  ${disabled_at ? 'disabled' : 'active  '}  ${name}`,
    ),
  );
}

async function policy({ client, names, limits, print }: Call): Promise<void> {
  const id = required(names[0], 'an agent id');
  const path = `/operator/agents/${id}/policy`;
  const answer = await client.call<SetPolicy>('PATCH', path, limits);
  print(answer, [
    `policy version ${answer.policy.version}`,
    `  max transaction  ${showLimit(answer.policy.max_transaction_msat)}`,
    `  24 h limit       ${showLimit(answer.policy.daily_limit_msat)}`,
  ]);
}

async function disable({ client, names, print }: Call): Promise<void> {
  const id = required(names[0], 'an agent id');
  const answer = await client.call<object>('DELETE', `/agents/${id}`);
  print(answer, [`${id} is disabled; its open holds still settle`]);
}

async function deposit({ client, names, print }: Call): Promise<void> {
  const id = required(names[0], 'an agent id');
  const amount = Number(required(names[1], 'an amount in msat'));
  const answer = await client.call<{ balance_msat: number; transaction_id: string }>(
    'POST',
    `/agents/${id}/deposit`,
    { amount_msat: amount },
  );
  print(answer, [
    `${id} has ${formatSats(msat(answer.balance_msat))} sats available (${answer.transaction_id})`,
  ]);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        'daily-limit-msat': { type: 'string' },
        'max-transaction-msat': { type: 'string' },
      },
    });
  } catch (error) {
    throw new StartError((error as Error).message);
  }
}

function limitsOf(values: Record<string, unknown>): Record<string, number | null> {
  const limits: Record<string, number | null> = {};
  for (const name of ['daily-limit-msat', 'max-transaction-msat']) {
    const value = values[name];
    if (typeof value !== 'string') continue;
    const limit = value === 'none' ? null : Number(value);
    if (limit !== null && !Number.isSafeInteger(limit)) {
      throw new StartError(`--${name} must be an integer number of msat, or none`);
    }
    limits[name.replaceAll('-', '_')] = limit;
  }
  return limits;
}

function required(value: string | undefined, what: string): string {
  if (value === undefined) throw new StartError(`needs ${what}`);
  return value;
}

const showLimit = (limit: number | null): string =>
  limit === null ? 'none' : `${formatSats(msat(limit))} sats`;

/** `agents …` and `deposit`: the operator's shortcuts over the REST API. */
import { formatSats, msat } from '@arbstr/shared';
import { StartError } from '../errors.ts';
import { type Fields, POLICY_OPTIONS, parseOptions, showField } from './agent-options.ts';
import { createOperatorClient, listAll, type OperatorClient } from './client.ts';
import { AGENTS_USAGE } from './usage.ts';

interface Call {
  readonly client: OperatorClient;
  readonly names: readonly string[];
  readonly policy: Fields;
  readonly token: Fields;
  readonly sweep: boolean;
  readonly print: (answer: object, lines: string[]) => void;
}

interface ListedAgent {
  id: string;
  name: string;
  disabled_at: number | null;
}

/** Null in the answer to a command that was done before. */
interface IssuedToken {
  token_id: string;
  token: string | null;
}

interface CreatedAgent extends Pick<IssuedToken, 'token'> {
  agent_id: string;
}

type Policy = { version: number; effective_from: number } & Record<string, unknown>;

export async function agentsCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { json, sweep, policy, token, idempotencyKey, positionals } = parseOptions(args);
  const [action, ...names] = positionals;
  const call: Call = {
    client: createOperatorClient(environment, idempotencyKey),
    names,
    policy,
    token,
    sweep,
    print: (answer, lines) => {
      process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${lines.join('\n')}\n`);
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
      await setPolicy(call);
      return 0;
    case 'rotate-token':
      await rotateToken(call);
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

async function create({ client, names, policy, print }: Call): Promise<void> {
  const hasPolicy = Object.keys(policy).length > 0;
  const body = {
    name: required(names[0], 'a name'),
    ...(hasPolicy ? { policy } : {}),
  };
  const answer = await client.call<CreatedAgent>('POST', '/agents', body);
  print(answer, [
    `agent  ${answer.agent_id}`,
    tokenLine(answer.token),
    ...(hasPolicy
      ? []
      : [`It may spend nothing before it has a policy: agents policy ${answer.agent_id} …`]),
  ]);
}

async function list({ client, print }: Call): Promise<void> {
  const agents = await listAll<ListedAgent>(client, '/agents', 'agents');
  print(
    { agents },
    agents.map(
      ({ id, name, disabled_at }) => `${id}  ${disabled_at ? 'disabled' : 'active  '}  ${name}`,
    ),
  );
}

async function policyVersions({ client, names, print }: Call): Promise<void> {
  const id = required(names[1], 'an agent id');
  const path = `/agents/${id}/policy/versions`;
  const versions = await listAll<Policy>(client, path, 'versions');
  const lines = versions.map((version) => {
    const limits = Object.keys(POLICY_OPTIONS).flatMap((option) => {
      const field = option.replaceAll('-', '_');
      const value = version[field];
      return value === null ? [] : [`${option} ${showField(field, value)}`];
    });
    const since = new Date(version.effective_from).toISOString();
    return `version ${version.version}  since ${since}  ${limits.join(', ') || 'no limits'}`;
  });
  print({ versions }, lines.length === 0 ? ['no policy yet: it may spend nothing'] : lines);
}

async function setPolicy(call: Call): Promise<void> {
  const { client, names, policy, print } = call;
  if (names[0] === 'versions') return policyVersions(call);
  const id = required(names[0], 'an agent id');
  const path = `/operator/agents/${id}/policy`;
  const answer = await client.call<{ policy: Policy }>('PATCH', path, policy);
  print(answer, [
    `policy version ${answer.policy.version}`,
    ...Object.keys(POLICY_OPTIONS).map((option) => {
      const field = option.replaceAll('-', '_');
      return `  ${option.padEnd(22)}${showField(field, answer.policy[field])}`;
    }),
  ]);
}

async function rotateToken({ client, names, token, print }: Call): Promise<void> {
  const id = required(names[0], 'an agent id');
  const answer = await client.call<IssuedToken>('POST', `/agents/${id}/tokens`, token);
  const overlap = token.overlap_secs ?? 0;
  print(answer, [
    tokenLine(answer.token),
    `It is ${answer.token_id}; the older ones end ${overlap === 0 ? 'now' : `in ${overlap} s`}.`,
  ]);
}

const tokenLine = (token: string | null): string =>
  token === null
    ? 'Its token was in the first answer, and nowhere else: agents rotate-token makes a new one.'
    : `token  ${token}   (shown once; keep it)`;

async function disable({ client, names, sweep, print }: Call): Promise<void> {
  const id = required(names[0], 'an agent id');
  const answer = await client.call<{ swept_msat?: number }>('DELETE', `/agents/${id}`, { sweep });
  const { swept_msat: swept } = answer;
  print(answer, [
    `${id} is disabled; its open holds still settle`,
    ...(swept === undefined ? [] : [`${formatSats(msat(swept))} sats went to the operator`]),
  ]);
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

function required(value: string | undefined, what: string): string {
  if (value === undefined) throw new StartError(`needs ${what}`);
  return value;
}

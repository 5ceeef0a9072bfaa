/** `agents …` and `deposit`: the operator's shortcuts over the REST API. */
import { type Fields, LIMITS, parseAgentOptions, TOKEN_LIMITS } from './agent-options.ts';
import { policyOf, policyVersions } from './agent-policy.ts';
import { listAgents, showAgent } from './agent-view.ts';
import { createOperatorClient, type OperatorClient } from './client.ts';
import { mustConfirm, type Terminal } from './confirm.ts';
import { amountOf, mustTake, operands, UsageError } from './options.ts';
import { type Print, printer } from './print.ts';
import { fields, sats } from './table.ts';

interface Call {
  readonly client: OperatorClient;
  /** As many as the action has `operands`. */
  readonly operands: readonly string[];
  readonly policy: Fields;
  readonly token: Fields;
  readonly sweep: boolean;
  /** Asks where a terminal is there; throws where the answer is no. */
  readonly confirm: (describe: () => Promise<string[]>) => Promise<void>;
  readonly print: Print;
}

/** Null in the answer to a command that was done before. */
interface IssuedToken {
  token_id: string;
  token: string | null;
}

interface CreatedAgent extends Pick<IssuedToken, 'token'> {
  agent_id: string;
}

interface Action {
  readonly operands: readonly string[];
  readonly takes: readonly string[];
  readonly run: (call: Call) => Promise<void>;
}

const ID = 'an agent id';
const COMMON = ['json', 'idempotency-key'];
const ACTIONS: Record<string, Action> = {
  create: { operands: ['a name'], takes: LIMITS, run: create },
  list: { operands: [], takes: [], run: ({ client, print }) => listAgents(client, print) },
  show: {
    operands: [ID],
    takes: [],
    run: ({ client, print, operands: [id] }) => showAgent(client, print, id!),
  },
  policy: {
    operands: [ID],
    takes: LIMITS,
    run: ({ client, print, operands: [id], policy }) => policyOf(client, print, id!, policy),
  },
  'policy versions': {
    operands: [ID],
    takes: [],
    run: ({ client, print, operands: [id] }) => policyVersions(client, print, id!),
  },
  'rotate-token': { operands: [ID], takes: [...TOKEN_LIMITS, 'yes'], run: rotateToken },
  disable: { operands: [ID], takes: ['sweep', 'yes'], run: disable },
  deposit: { operands: [ID, 'an amount in msat'], takes: [], run: deposit },
};

export async function agentsCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  const options = parseAgentOptions(args);
  const [first, ...rest] = options.positionals;
  const ofVersions = first === 'policy' && rest[0] === 'versions';
  const name = ofVersions ? 'policy versions' : first;
  if (name === undefined) throw new UsageError('agents needs to know what to do');
  if (!Object.hasOwn(ACTIONS, name)) throw new UsageError(`agents cannot ${name}`);
  const action = ACTIONS[name]!;
  mustTake(name, options.values, [...COMMON, ...action.takes]);
  const { json, sweep, yes, policy, token, idempotencyKey } = options;
  await action.run({
    operands: operands(ofVersions ? rest.slice(1) : rest, action.operands),
    client: createOperatorClient(environment, idempotencyKey),
    policy,
    token,
    sweep,
    confirm: (describe) => mustConfirm({ yes, terminal }, describe),
    print: printer(json),
  });
  return 0;
}

const pathOf = (id: string): string => `/agents/${encodeURIComponent(id)}`;

async function create({ client, operands: [name], policy, print }: Call): Promise<void> {
  const hasPolicy = Object.keys(policy).length > 0;
  const body = { name, ...(hasPolicy ? { policy } : {}) };
  const answer = await client.call<CreatedAgent>('POST', '/agents', body);
  print(answer, [
    `agent  ${answer.agent_id}`,
    tokenLine(answer.token),
    ...(hasPolicy
      ? []
      : [`It may spend nothing before it has a policy: agents policy ${answer.agent_id} …`]),
  ]);
}

async function rotateToken(call: Call): Promise<void> {
  const { client, token, print, confirm } = call;
  const id = call.operands[0]!;
  const overlap = token.overlap_secs === undefined ? 0 : token.overlap_secs;
  if (overlap === 0) {
    await confirm(async () => [
      'Every token that this agent has now ends at once (--overlap-secs N leaves it time):',
      ...(await shown(client, id)),
    ]);
  }
  const answer = await client.call<IssuedToken>('POST', `${pathOf(id)}/tokens`, token);
  const olderOnes = overlap === null ? 'stay' : `end ${overlap === 0 ? 'now' : `in ${overlap} s`}`;
  print(answer, [
    tokenLine(answer.token),
    `It is ${answer.token_id}; the older ones ${olderOnes}.`,
  ]);
}

const tokenLine = (token: string | null): string =>
  token === null
    ? 'Its token was in the first answer, and nowhere else: agents rotate-token makes a new one.'
    : `token  ${token}   (shown once; keep it)`;

async function disable({ client, operands: [id], sweep, confirm, print }: Call): Promise<void> {
  await confirm(async () => [
    `This agent will be refused for ever${sweep ? ', and what it has available goes to you' : ''}:`,
    ...(await shown(client, id!)),
  ]);
  const answer = await client.call<{ swept_msat?: number }>('DELETE', pathOf(id!), { sweep });
  const { swept_msat: swept } = answer;
  print(answer, [
    `${id} is disabled; its open holds still settle`,
    ...(swept === undefined ? [] : [`${sats(swept)} sats went to the operator`]),
  ]);
}

/** Whom a question is about. */
async function shown(client: OperatorClient, id: string): Promise<string[]> {
  const { name, balance_msat, held_msat } = await client.call<{
    name: string;
    balance_msat: number;
    held_msat: number;
  }>('GET', pathOf(id));
  return fields([
    ['agent', id],
    ['name', name],
    ['available', `${sats(balance_msat)} sats`],
    ['held', `${sats(held_msat)} sats`],
  ]);
}

async function deposit({ client, operands: [id, amount], print }: Call): Promise<void> {
  const answer = await client.call<{ balance_msat: number; transaction_id: string }>(
    'POST',
    `${pathOf(id!)}/deposit`,
    { amount_msat: amountOf(amount!) },
  );
  print(answer, [
    `${id} has ${sats(answer.balance_msat)} sats available (${answer.transaction_id})`,
  ]);
}

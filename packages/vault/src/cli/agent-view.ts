/** `agents list` and `agents show`. */
import { type Policy, policyLines } from './agent-policy.ts';
import { listAll, type OperatorClient } from './client.ts';
import type { Print } from './print.ts';
import { type Column, fields, iso, sats, table } from './table.ts';

interface ListedAgent {
  id: string;
  name: string;
  created_at: number;
  disabled_at: number | null;
}

interface Agent extends Omit<ListedAgent, 'id'> {
  agent_id: string;
  policy: Policy | null;
  balance_msat: number;
  held_msat: number;
}

interface Token {
  token_id: string;
  scopes: string[];
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  usable: boolean;
}

const stateOf = ({ disabled_at }: { disabled_at: number | null }): string =>
  disabled_at === null ? 'active' : 'disabled';

const AGENTS: readonly Column<ListedAgent>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'STATE', of: stateOf },
  { head: 'CREATED', of: ({ created_at }) => iso(created_at) },
  { head: 'NAME', of: ({ name }) => name },
];

const TOKENS: readonly Column<Token>[] = [
  { head: 'TOKEN', of: ({ token_id }) => token_id },
  { head: 'STATE', of: ({ usable }) => (usable ? 'usable' : 'ended') },
  { head: 'SCOPES', of: ({ scopes }) => scopes.join(',') },
  { head: 'CREATED', of: ({ created_at }) => iso(created_at) },
  { head: 'EXPIRES', of: ({ expires_at }) => iso(expires_at) },
  { head: 'REVOKED', of: ({ revoked_at }) => iso(revoked_at) },
];

/** Without balances: the list has none, and one question per agent would be thousands. */
export async function listAgents(client: OperatorClient, print: Print): Promise<void> {
  const agents = await listAll<ListedAgent>(client, '/agents', 'agents');
  print({ agents }, agents.length === 0 ? ['no agents yet'] : table(AGENTS, agents));
}

export async function showAgent(client: OperatorClient, print: Print, id: string): Promise<void> {
  const path = `/agents/${encodeURIComponent(id)}`;
  const agent = await client.call<Agent>('GET', path);
  const balance = await client.call<{ spent_24h_msat: number }>('GET', `${path}/balance`);
  const tokens = await listAll<Token>(client, `${path}/tokens`, 'tokens');
  print({ agent, balance, tokens }, [
    ...fields([
      ['agent', agent.agent_id],
      ['name', agent.name],
      ['state', stateOf(agent)],
      ['created', iso(agent.created_at)],
      ['disabled', iso(agent.disabled_at)],
      ['available', `${sats(agent.balance_msat)} sats`],
      ['held', `${sats(agent.held_msat)} sats`],
      ['spent in 24 h', `${sats(balance.spent_24h_msat)} sats`],
    ]),
    ...policyLines(agent.policy),
    ...(tokens.length === 0 ? ['no tokens'] : table(TOKENS, tokens)),
  ]);
}

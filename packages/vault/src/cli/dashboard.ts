/** `dashboard`: the whole vault on one screen. */
import { createOperatorClient } from './client.ts';
import { FLAG, operands, parseOptions } from './options.ts';
import { printer } from './print.ts';
import { type Column, fields, iso, sats, table } from './table.ts';

/** Agents on a screen beside the rest; `--json` has up to 1,000. */
const SHOWN = 20;

interface BoardAgent {
  agent_id: string;
  name: string;
  balance_msat: number;
  held_msat: number;
  daily_spend_msat: number;
  daily_utilization_pct: number | null;
  pending_approvals_count: number;
  balance_below_floor: boolean;
  disabled_at: number | null;
}

interface Dashboard {
  amounts: Record<string, number>;
  agents: BoardAgent[];
  total_agents: number;
  disabled_agents: number;
  open: Record<string, number>;
  stuck_payments: string[];
  stuck_payouts: string[];
  frozen_rails: { rail: string; reason: string | null }[];
  webhooks: { pending: number; dead_letters: number };
  alerts: { alert: string; subject: string; reason: string; since: number }[];
  mode: string;
}

export async function dashboard(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parseOptions(args, { json: FLAG });
  operands(positionals, []);
  const answer = await createOperatorClient(environment).call<Dashboard>(
    'GET',
    `/operator/dashboard?sort_by=daily_spend&sort_order=desc&limit=${values.json ? 1000 : SHOWN}`,
  );
  printer(values.json)(answer, linesOf(answer));
  return 0;
}

const COLUMNS: readonly Column<BoardAgent>[] = [
  { head: 'AGENT', of: (agent) => agent.agent_id },
  { head: 'AVAILABLE', of: (agent) => sats(agent.balance_msat), right: true },
  { head: 'HELD', of: (agent) => sats(agent.held_msat), right: true },
  { head: 'SPENT 24H', of: (agent) => sats(agent.daily_spend_msat), right: true },
  {
    head: 'OF LIMIT',
    of: ({ daily_utilization_pct: used }) => (used === null ? null : `${used} %`),
    right: true,
  },
  { head: 'WAIT', of: (agent) => String(agent.pending_approvals_count), right: true },
  { head: 'STATE', of: stateOf },
  { head: 'NAME', of: (agent) => agent.name },
];

function stateOf({ disabled_at, balance_below_floor }: BoardAgent): string {
  if (disabled_at !== null) return 'disabled';
  return balance_below_floor ? 'low' : 'active';
}

function linesOf({ amounts, agents, open, webhooks, mode, ...trouble }: Dashboard): string[] {
  const { total_agents, disabled_agents } = trouble;
  const counts = Object.entries(open).map(([kind, count]) => `${count} ${kind}`);
  const { stuck_payments, stuck_payouts, frozen_rails, alerts } = trouble;
  return [
    ...fields([
      ['mode', mode],
      ['agents', `${total_agents}, ${disabled_agents} of them disabled`],
      ['open', counts.join(', ')],
      ['webhooks', `${webhooks.pending} pending, ${webhooks.dead_letters} dead letters`],
    ]),
    ...(agents.length === 0 ? [] : [`who spent most (at most ${SHOWN}), in sats`]),
    ...(agents.length === 0 ? [] : table(COLUMNS, agents)),
    'sats',
    ...fields(
      Object.entries(amounts).map(([name, amount]) => [
        name.replace(/_msat$/, '').replaceAll('_', ' '),
        signedSats(amount),
      ]),
    ),
    ...[...stuck_payments, ...stuck_payouts].map((id) => `stuck: ${id}`),
    ...frozen_rails.map(({ rail, reason }) => `frozen: ${rail} (${reason ?? 'no reason given'})`),
    ...alerts.map(
      ({ alert, subject, reason, since }) =>
        `alert: ${alert} ${subject} since ${iso(since)}: ${reason}`,
    ),
  ];
}

/** Sums of the operator's own accounts may be below zero. */
const signedSats = (amountMsat: number): string =>
  amountMsat < 0 ? `-${sats(-amountMsat)}` : sats(amountMsat);

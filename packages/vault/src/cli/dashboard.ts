/** `dashboard`: the whole vault on one screen. */
import { createOperatorClient } from './client.ts';
import { operands, parseOptions } from './options.ts';
import { printer } from './print.ts';
import { fields, iso, sats } from './table.ts';

interface Dashboard {
  amounts: Record<string, number>;
  agents: { total: number; disabled: number };
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
  const { values, positionals } = parseOptions(args, { json: { type: 'boolean', default: false } });
  operands(positionals, []);
  const answer = await createOperatorClient(environment).call<Dashboard>(
    'GET',
    '/operator/dashboard',
  );
  printer(values.json)(answer, linesOf(answer));
  return 0;
}

function linesOf({ amounts, agents, open, webhooks, mode, ...trouble }: Dashboard): string[] {
  const counts = Object.entries(open).map(([kind, count]) => `${count} ${kind}`);
  const { stuck_payments, stuck_payouts, frozen_rails, alerts } = trouble;
  return [
    ...fields([
      ['mode', mode],
      ['agents', `${agents.total}, ${agents.disabled} of them disabled`],
      ['open', counts.join(', ')],
      ['webhooks', `${webhooks.pending} pending, ${webhooks.dead_letters} dead letters`],
    ]),
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

/** `approvals`: what waits for the operator, and the operator's word on it. */
import { createOperatorClient, listAll, type OperatorClient } from './client.ts';
import { mustConfirm, type Terminal } from './confirm.ts';
import { CHANGING, mustTake, operands, parseOptions, UsageError } from './options.ts';
import { printer } from './print.ts';
import { type Column, fields, iso, sats, table } from './table.ts';

interface Approval {
  id: string;
  agent_id: string | null;
  provider: string | null;
  type: string;
  amount_msat: number;
  max_fee_msat: number;
  destination: string | null;
  model: string | null;
  rule: string;
  status: string;
  expires_at: number | null;
}

const COLUMNS: readonly Column<Approval>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'STATUS', of: ({ status }) => status },
  { head: 'AGENT OR SELLER', of: ({ agent_id, provider }) => agent_id ?? provider },
  { head: 'SATS', of: ({ amount_msat }) => sats(amount_msat), right: true },
  { head: 'FEE UP TO', of: ({ max_fee_msat }) => sats(max_fee_msat), right: true },
  { head: 'TYPE', of: ({ type }) => type },
  { head: 'RULE', of: ({ rule }) => rule },
  { head: 'UNTIL', of: ({ expires_at }) => iso(expires_at) },
  { head: 'TO', of: ({ destination, model }) => destination ?? model },
];

const COMMON = ['json', 'idempotency-key'];
const TAKES: Record<string, readonly string[]> = {
  list: [],
  approve: ['reason', 'yes'],
  deny: ['reason'],
};

export async function approvalsCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  const { values, positionals } = parseOptions(args, { ...CHANGING, reason: { type: 'string' } });
  const [action = 'list', ...found] = positionals;
  const takes = Object.hasOwn(TAKES, action) ? TAKES[action] : undefined;
  if (takes === undefined) throw new UsageError(`cannot ${action}`);
  mustTake(`approvals ${action}`, values, [...COMMON, ...takes]);
  const [id] = operands(found, action === 'list' ? [] : ['the id of an approval']);
  const client = createOperatorClient(environment, values['idempotency-key']);
  const print = printer(values.json);
  if (id === undefined) {
    const approvals = await waiting(client);
    print({ approvals }, approvals.length === 0 ? ['nothing waits'] : table(COLUMNS, approvals));
    return 0;
  }
  if (action === 'approve') {
    await mustConfirm({ yes: values.yes, terminal }, async () =>
      described(id, await waiting(client)),
    );
  }
  const body = values.reason === undefined ? undefined : { reason: values.reason };
  const path = `/operator/approvals/${encodeURIComponent(id)}/${action}`;
  const answer = await client.call<{ status: string; payment_status: string | null }>(
    'POST',
    path,
    body,
  );
  const paid = answer.payment_status === null ? '' : `; the payment is ${answer.payment_status}`;
  print(answer, [`${id} is ${answer.status}${paid}`]);
  return 0;
}

const waiting = (client: OperatorClient): Promise<Approval[]> =>
  listAll<Approval>(client, '/operator/approvals', 'approvals');

/** What runs if the operator says yes: all of it was frozen when it was asked for. */
function described(id: string, approvals: readonly Approval[]): string[] {
  const found = approvals.find((each) => each.id === id);
  // It may be done already, and this the second try of a command that got no answer.
  if (found === undefined) return [`${id} is not among what waits; the vault will say why.`];
  return [
    `${id} will run as it was asked for:`,
    ...fields([
      ['type', found.type],
      ['agent', found.agent_id],
      ['seller', found.provider],
      ['amount', `${sats(found.amount_msat)} sats`],
      ['fee limit', `${sats(found.max_fee_msat)} sats`],
      ['destination', found.destination],
      ['model', found.model],
      ['waits for', found.rule],
      ['until', iso(found.expires_at)],
    ]),
    ...(found.type === 'payout' ? ['Later payouts to that destination run unasked.'] : []),
  ];
}

/** `payouts`: to sellers, and such as the books do not know. */
import { hash } from 'node:crypto';
import { createOperatorClient, listAll } from './client.ts';
import { mustConfirm, type Terminal } from './confirm.ts';
import { amountOf, CHANGING, mustTake, operands, parseOptions, UsageError } from './options.ts';
import { printer } from './print.ts';
import { type Column, fields, sats, table } from './table.ts';

interface Payout {
  payout_id: string;
  provider: string;
  amount_msat: number;
  fee_msat: number | null;
  payout_destination: string;
  status: string;
}

const COLUMNS: readonly Column<Payout>[] = [
  { head: 'ID', of: ({ payout_id }) => payout_id },
  { head: 'STATUS', of: ({ status }) => status },
  { head: 'SELLER', of: ({ provider }) => provider },
  { head: 'SATS', of: ({ amount_msat }) => sats(amount_msat), right: true },
  { head: 'FEE', of: ({ fee_msat }) => (fee_msat === null ? null : sats(fee_msat)), right: true },
  { head: 'TO', of: ({ payout_destination }) => payout_destination },
];

interface Options {
  readonly json: boolean;
  readonly yes: boolean;
  readonly reason?: string | undefined;
  readonly 'idempotency-key'?: string | undefined;
}

export async function payoutsCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  const { values, positionals } = parseOptions(args, { ...CHANGING, reason: { type: 'string' } });
  const [action = 'list', ...found] = positionals;
  if (action === 'book') return book(found, values, environment, terminal);
  if (action !== 'list') throw new UsageError(`cannot ${action}`);
  mustTake('payouts list', values, ['json']);
  operands(found, []);
  const client = createOperatorClient(environment);
  const payouts = await listAll<Payout>(client, '/operator/payouts', 'payouts');
  const lines = payouts.length === 0 ? ['no payouts yet'] : table(COLUMNS, payouts);
  printer(values.json)({ payouts }, lines);
  return 0;
}

/**
 * A payout that the books do not know. The same provider, amount and reason are the same payout,
 * however often they are given within 24 h; a key of the operator's own says that it is another one.
 */
async function book(
  found: readonly string[],
  { reason, json, yes, 'idempotency-key': ownKey }: Options,
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  const [provider, amount] = operands(found, ['a provider', 'an amount in msat']);
  if (!reason) throw new UsageError('needs a --reason');
  const amount_msat = amountOf(amount!);
  const key = ownKey ?? hash('sha256', JSON.stringify([provider, amount_msat, reason]));
  const client = createOperatorClient(environment, key);
  const path = `/operator/providers/${encodeURIComponent(provider!)}`;
  await mustConfirm({ yes, terminal }, async () => {
    const { payable_msat } = await client.call<{ payable_msat: number }>('GET', path);
    return [
      'The books will say that this was paid to a seller, and owe it so much less:',
      ...fields([
        ['seller', provider!],
        ['paid', `${sats(amount_msat)} sats`],
        ['reason', reason],
        ['owed now', `${sats(payable_msat)} sats`],
      ]),
    ];
  });
  const answer = await client.call<{ payable_msat: number }>('POST', `${path}/debit`, {
    amount_msat,
    reason,
  });
  printer(json)(answer, [`${provider} is owed ${sats(answer.payable_msat)} sats now`]);
  return 0;
}

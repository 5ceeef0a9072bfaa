/** `approvals`: what waits for the operator, and the operator's word on it. `payouts`: to sellers. */
import { hash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { formatSats, msat } from '@arbstr/shared';
import { StartError } from '../errors.ts';
import { createOperatorClient, listAll } from './client.ts';

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

interface Payout {
  payout_id: string;
  provider: string;
  amount_msat: number;
  payout_destination: string;
  status: string;
}

const LISTS = {
  approvals: {
    path: '/operator/approvals',
    none: 'nothing waits',
    line: (row: Approval) =>
      `${row.id}  ${row.status}  ${row.agent_id ?? row.provider}  ${sats(row.amount_msat)} sats` +
      `${row.max_fee_msat > 0 ? ` + up to ${sats(row.max_fee_msat)} fee` : ''}` +
      `  ${row.type} ${row.destination ?? row.model ?? ''}  (${row.rule}${until(row)})`,
  },
  payouts: {
    path: '/operator/payouts',
    none: 'no payouts yet',
    line: (row: Payout) =>
      `${row.payout_id}  ${row.status}  ${row.provider}  ${sats(row.amount_msat)} sats  ${row.payout_destination}`,
  },
} as const;

type What = keyof typeof LISTS;

const USAGE: Record<What, string> = {
  approvals: `usage: approvals [list]
       approvals approve ID [--reason WHY]
       approvals deny ID [--reason WHY]
`,
  payouts: `usage: payouts [list]
       payouts book PROVIDER MSAT --reason WHY
`,
};

export async function judgeCommand(
  what: What,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parse(args);
  if (what === 'payouts' && positionals[0] === 'book') {
    return bookPayout(positionals.slice(1), values, environment);
  }
  const [action = 'list', id, ...more] = positionals;
  const judges = what === 'approvals' && (action === 'approve' || action === 'deny');
  if (more.length > 0 || (action !== 'list' && !judges) || judges !== (id !== undefined)) {
    process.stderr.write(USAGE[what]);
    return 2;
  }
  const client = createOperatorClient(environment, values['idempotency-key']);
  const print = (answer: object, lines: readonly string[]): void => {
    process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : `${lines.join('\n')}\n`);
  };
  if (!judges) {
    const rows = await listAll<object>(client, LISTS[what].path, what);
    const lines = rows.map((row) => LISTS[what].line(row as never));
    print({ [what]: rows }, lines.length === 0 ? [LISTS[what].none] : lines);
    return 0;
  }
  const body = values.reason === undefined ? undefined : { reason: values.reason };
  const path = `/operator/${what}/${encodeURIComponent(id!)}/${action}`;
  const answer = await client.call<{ status?: string; payment_status?: string | null }>(
    'POST',
    path,
    body,
  );
  const paid = answer.payment_status ? `; the payment is ${answer.payment_status}` : '';
  print(answer, [
    `${id} is ${answer.status ?? (action === 'approve' ? 'approved' : 'denied')}${paid}`,
  ]);
  return 0;
}

/**
 * A payout that the books do not know. The same provider, amount and reason are the same payout,
 * however often they are given within 24 h.
 */
async function bookPayout(
  [provider, amount, ...more]: readonly string[],
  { reason, json }: { reason?: string | undefined; json: boolean },
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const amount_msat = Number(amount);
  if (provider === undefined || !Number.isSafeInteger(amount_msat) || !reason || more.length > 0) {
    process.stderr.write(USAGE.payouts);
    return 2;
  }
  const key = hash('sha256', JSON.stringify([provider, amount_msat, reason]));
  const path = `/operator/providers/${encodeURIComponent(provider)}/debit`;
  const body = { amount_msat, reason };
  const client = createOperatorClient(environment, key);
  const answer = await client.call<{ payable_msat: number }>('POST', path, body);
  const line = `${provider} is owed ${sats(answer.payable_msat)} sats now`;
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${line}\n`);
  return 0;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        reason: { type: 'string' },
        'idempotency-key': { type: 'string' },
      },
    });
  } catch (error) {
    throw new StartError((error as Error).message);
  }
}

const sats = (amountMsat: number): string => formatSats(msat(amountMsat));

const until = ({ expires_at }: Approval): string =>
  expires_at === null ? '' : `; until ${new Date(expires_at).toISOString()}`;

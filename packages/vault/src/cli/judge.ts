/** `approvals` and `payouts`: what waits for the operator, and the operator's word on it. */
import { parseArgs } from 'node:util';
import { formatSats, msat } from '@arbstr/shared';
import { StartError } from '../errors.ts';
import { createOperatorClient, listAll } from './client.ts';

interface Approval {
  id: string;
  agent_id: string;
  type: string;
  amount_msat: number;
  max_fee_msat: number;
  destination: string | null;
  model: string | null;
  rule: string;
  status: string;
  expires_at: number;
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
      `${row.id}  ${row.status}  ${row.agent_id}  ${sats(row.amount_msat)} sats` +
      `${row.max_fee_msat > 0 ? ` + up to ${sats(row.max_fee_msat)} fee` : ''}` +
      `  ${row.type} ${row.destination ?? row.model ?? ''}  (${row.rule}; until ${new Date(row.expires_at).toISOString()})`,
  },
  payouts: {
    path: '/operator/payouts',
    none: 'no payouts yet',
    line: (row: Payout) =>
      `${row.payout_id}  ${row.status}  ${row.provider}  ${sats(row.amount_msat)} sats  ${row.payout_destination}`,
  },
} as const;

type What = keyof typeof LISTS;

const USAGE = (what: What): string =>
  `usage: ${what} [list]\n       ${what} approve ID [--reason WHY]\n       ${what} deny ID [--reason WHY]\n`;

export async function judgeCommand(
  what: What,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { values, positionals } = parse(args);
  const [action = 'list', id, ...more] = positionals;
  const judges = action === 'approve' || action === 'deny';
  if (more.length > 0 || (action !== 'list' && !judges) || judges !== (id !== undefined)) {
    process.stderr.write(USAGE(what));
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

import type { Database } from 'better-sqlite3';
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import type { AccountRow } from '../../ledger/statements.ts';
import { compareRow, type Report } from './report.ts';

interface TransferRow {
  id: number;
  debit: number;
  credit: number;
  amount: number;
}

/**
 * The books by themselves, without the audit trail: every balance is the sum of its transfers, all
 * balances together are zero, and no transfer is missing.
 */
export function checkBooks(db: Database, report: Report): void {
  checkSharedAccounts(db, report);
  const sums = sumTransfers(db, report);
  let total = 0n;
  const accounts = db.prepare<[], AccountRow>('SELECT id, name, normal, balance FROM accounts');
  const known = new Set<number>();
  for (const account of accounts.iterate()) {
    known.add(account.id);
    total += BigInt(account.balance);
    const sum = sums.get(account.id) ?? 0n;
    if (BigInt(account.balance) !== sum) {
      report.add(
        `account ${account.name}: the balance is ${account.balance} msat, its transfers sum up to ${sum}`,
      );
    }
    if (account.normal === 'credit' ? account.balance < 0 : account.balance > 0) {
      report.add(`account ${account.name}: ${account.balance} msat is on the wrong side of zero`);
    }
  }
  for (const id of sums.keys()) {
    if (!known.has(id)) report.add(`account ${id}: has transfers, but no row`);
  }
  const transit = SHARED_ACCOUNTS.transit.id;
  if ((sums.get(transit) ?? 0n) !== 0n) {
    report.add(`account ${SHARED_ACCOUNTS.transit.name}: a payment between agents is half done`);
  }
  if (total !== 0n) report.add(`books: all accounts together are ${total} msat instead of 0`);
}

/** The accounts that no agent's audit trail names. */
function checkSharedAccounts(db: Database, report: Report): void {
  const select = db.prepare<[number], AccountRow>('SELECT * FROM accounts WHERE id = ?');
  for (const { id, name, normal } of Object.values(SHARED_ACCOUNTS)) {
    const { balance: _, ...actual } = select.get(id) ?? { balance: 0 };
    compareRow(report, `account ${name}`, { id, name, normal }, actual);
  }
}

/** Credits minus debits per account. Ids count from 1 without gaps: a gap is a deleted row. */
function sumTransfers(db: Database, report: Report): Map<number, bigint> {
  const sums = new Map<number, bigint>();
  let last = 0;
  const transfers = db.prepare<[], TransferRow>(
    'SELECT id, debit, credit, amount FROM transfers ORDER BY id',
  );
  for (const { id, debit, credit, amount } of transfers.iterate()) {
    if (id !== last + 1) report.add(`transfers: ${missing(last + 1, id - 1)}`);
    last = id;
    sums.set(debit, (sums.get(debit) ?? 0n) - BigInt(amount));
    sums.set(credit, (sums.get(credit) ?? 0n) + BigInt(amount));
    report.counts.transfers++;
  }
  return sums;
}

function missing(first: number, last: number): string {
  return first === last ? `row ${first} is missing` : `rows ${first} to ${last} are missing`;
}

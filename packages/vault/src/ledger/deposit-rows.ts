/** Deposits as SQLite keeps them, and the SQL that reads and writes them. */
import type { Msat } from '@arbstr/shared';
import type { Database } from 'better-sqlite3';
import type { Deposit, DepositState } from '../deposit/deposit.ts';
import type { Rail } from '../wallet/wallet.ts';

export interface DepositRow {
  id: string;
  agent_no: number;
  rail: Rail;
  type: 'invoice' | 'cashu_token';
  amount: number;
  payment_request: string | null;
  payment_hash: string | null;
  expires_at: number | null;
  token: string | null;
  token_hash: string | null;
  token_key: string | null;
  correlation_id: string;
  state: DepositState;
  created_at: number;
  ended_at: number | null;
  received: number | null;
  receipt_index: number | null;
  balance_after: number | null;
  failure: string | null;
}

export function prepareDepositStatements(db: Database) {
  return {
    insertDeposit: db.prepare<[DepositRow]>(
      `INSERT INTO deposits (id, agent_no, rail, type, amount, payment_request, payment_hash,
         expires_at, token, token_hash, token_key, correlation_id, state, created_at)
       VALUES (@id, @agent_no, @rail, @type, @amount, @payment_request, @payment_hash,
         @expires_at, @token, @token_hash, @token_key, @correlation_id, @state, @created_at)`,
    ),
    // The state in the condition is the last guard against two credits of one deposit.
    changeDeposit: db.prepare<[DepositRow & { from: DepositState }]>(
      `UPDATE deposits SET state = @state, token = @token, ended_at = @ended_at,
         received = @received, receipt_index = @receipt_index, balance_after = @balance_after,
         failure = @failure
       WHERE id = @id AND state = @from`,
    ),
    selectDeposit: db.prepare<[string], DepositRow>('SELECT * FROM deposits WHERE id = ?'),
    selectDepositByHash: db.prepare<[string], DepositRow>(
      'SELECT * FROM deposits WHERE payment_hash = ?',
    ),
    selectDepositByToken: db.prepare<[string], DepositRow>(
      "SELECT * FROM deposits WHERE token_key = ? AND state <> 'failed'",
    ),
    countPendingDeposits: db.prepare<[number], { n: number }>(
      "SELECT count(*) AS n FROM deposits WHERE agent_no = ? AND state = 'pending'",
    ),
    selectUnpaidDeposit: db.prepare<[number, number, number], { created_at: number }>(
      // Literal, as in the index.
      `SELECT created_at FROM deposits
       WHERE state <> 'settled' AND agent_no = ? AND created_at > ?
       ORDER BY created_at DESC LIMIT 1 OFFSET ?`,
    ),
    selectDueDeposits: db.prepare<[number, number], DepositRow>(
      `SELECT * FROM deposits WHERE state = 'pending' AND expires_at <= ?
       ORDER BY expires_at LIMIT ?`,
    ),
  };
}

export function depositRow(deposit: Deposit): DepositRow {
  const { source } = deposit;
  const invoice = source.type === 'invoice' ? source : null;
  const ecash = source.type === 'cashu_token' ? source : null;
  const settled = deposit.state === 'settled' ? deposit : null;
  return {
    id: deposit.id,
    agent_no: deposit.agentNo,
    rail: deposit.rail,
    type: source.type,
    amount: deposit.amount,
    payment_request: invoice?.paymentRequest ?? null,
    payment_hash: invoice?.paymentHash ?? null,
    expires_at: invoice?.expiresAt ?? null,
    token: ecash?.token ?? null,
    token_hash: ecash?.tokenHash ?? null,
    token_key: ecash?.tokenKey ?? null,
    correlation_id: deposit.correlationId,
    state: deposit.state,
    created_at: deposit.createdAt,
    ended_at: 'endedAt' in deposit ? deposit.endedAt : null,
    received: settled?.received ?? null,
    receipt_index: settled?.receiptIndex ?? null,
    balance_after: settled?.balanceAfter ?? null,
    failure: deposit.state === 'failed' ? deposit.failure : null,
  };
}

/** The database's checks make sure that each state and type has its columns. */
export function depositOf(row: DepositRow): Deposit {
  const identity = {
    id: row.id,
    agentNo: row.agent_no,
    rail: row.rail,
    amount: row.amount as Msat,
    source: sourceOf(row),
    correlationId: row.correlation_id,
    createdAt: row.created_at,
  };
  switch (row.state) {
    case 'pending':
    case 'expired':
      return { ...identity, state: row.state };
    case 'settled':
      return {
        ...identity,
        state: 'settled',
        endedAt: row.ended_at as number,
        received: row.received as Msat,
        receiptIndex: row.receipt_index,
        balanceAfter: row.balance_after as Msat,
      };
    case 'failed': {
      const { ended_at, failure } = row;
      const endedAt = ended_at as number;
      return { ...identity, state: 'failed', endedAt, failure: failure as string };
    }
  }
}

function sourceOf(row: DepositRow): Deposit['source'] {
  if (row.type === 'invoice') {
    return {
      type: 'invoice',
      paymentRequest: row.payment_request as string,
      paymentHash: row.payment_hash as string,
      expiresAt: row.expires_at as number,
    };
  }
  return {
    type: 'cashu_token',
    token: row.token,
    tokenHash: row.token_hash as string,
    tokenKey: row.token_key as string,
  };
}

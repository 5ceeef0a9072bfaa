/** Money in from outside, as the ledger decides it; see `deposit/deposit.ts` for the states. */
import { type Msat, msat } from '@arbstr/shared';
import {
  type Deposit,
  type ExpiredDeposit,
  type FailedDeposit,
  type OpenDeposit,
  PENDING_DEPOSITS_MAX,
  type PendingDeposit,
  type SettledDeposit,
} from '../deposit/deposit.ts';
import { type Refusal, refuse } from '../errors.ts';
import { canCredit, canDebit } from './account.ts';
import { noSuchAgent } from './agents.ts';
import type {
  CreditReceipt,
  ExpireDeposits,
  FailDeposit,
  OpenDepositCommand,
  SettleEcash,
} from './command.ts';
import { tooManyUnpaidDeposits } from './daily-bound.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import type { DepositOpened, DepositSettled, DepositsExpired, ReceiptCredited } from './outcome.ts';
import { agentDisabled } from './reserve.ts';
import type { LedgerView } from './view.ts';

/** The intent, durable before anybody can pay or a mint is asked. */
export function openDeposit(
  view: LedgerView,
  command: OpenDepositCommand,
  now: number,
): Decision<DepositOpened> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  const { source, amount } = command;
  if (source.type === 'cashu_token') {
    const known = view.depositByToken(source.tokenKey);
    if (known !== undefined) return no(alreadyDeposited(known, agent.no));
  }
  if (view.pendingDeposits(agent.no) >= PENDING_DEPOSITS_MAX) {
    return no(tooManyDeposits());
  }
  const full = tooManyUnpaidDeposits(view, agent.no, now);
  if (full) return no(full);
  if (!canCredit(agent.available, amount) || !canDebit(view.railSimulated, amount)) {
    return no(outOfRange());
  }
  const deposit: PendingDeposit = {
    id: command.depositId,
    agentNo: agent.no,
    rail: command.rail,
    amount,
    source,
    correlationId: command.correlationId,
    createdAt: now,
    state: 'pending',
  };
  return {
    outcome: {
      depositId: deposit.id,
      agentId: agent.id,
      rail: deposit.rail,
      amount,
      createdAt: now,
      paymentRequest: source.type === 'invoice' ? source.paymentRequest : null,
      paymentHash: source.type === 'invoice' ? source.paymentHash : null,
      expiresAt: source.type === 'invoice' ? source.expiresAt : null,
    },
    effects: [
      { effect: 'insert_deposit', deposit },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'DEPOSIT_OPENED',
        facts: {
          deposit_id: deposit.id,
          correlation_id: deposit.correlationId,
          rail: deposit.rail,
          type: source.type,
          amount,
          ...sourceFacts(source),
        },
      },
    ],
  };
}

/** A receipt of the wallet: credits the deposit that asked for it, the first time it is told. */
export function creditReceipt(
  view: LedgerView,
  { paymentHash, received, receiptIndex }: CreditReceipt,
  now: number,
): Decision<ReceiptCredited> {
  const deposit = view.depositByHash(paymentHash);
  // A receipt of nothing pays for nothing; it must not hold up those after it.
  if (deposit === undefined || !isOpen(deposit) || received === 0) {
    return { outcome: { deposit: deposit?.id ?? null, credited: false }, effects: NO_EFFECTS };
  }
  const settled = settle(view, deposit, received, receiptIndex, now);
  if ('refused' in settled) return no(settled);
  return { outcome: { deposit: deposit.id, credited: true }, effects: settled.effects };
}

/** The mint has taken the ecash and owes us its worth. */
export function settleEcash(
  view: LedgerView,
  { depositId, received }: SettleEcash,
  now: number,
): Decision<DepositSettled> {
  const deposit = view.deposit(depositId);
  if (deposit === undefined) return no(refuse('not_found', 'no such deposit'));
  if (deposit.state === 'settled') {
    return { outcome: settledOutcome(view, deposit), effects: NO_EFFECTS };
  }
  if (!isOpen(deposit)) return no(refuse('not_found', 'the deposit has failed'));
  const settled = settle(view, deposit, received, null, now);
  if ('refused' in settled) return no(settled);
  return { outcome: settledOutcome(view, settled.deposit), effects: settled.effects };
}

/** The mint has proven that the ecash gives us nothing. */
export function failDeposit(
  view: LedgerView,
  { depositId, reason }: FailDeposit,
  now: number,
): Decision<{ failed: boolean }> {
  const deposit = view.deposit(depositId);
  if (deposit?.state !== 'pending' || deposit.source.type !== 'cashu_token') {
    return { outcome: { failed: false }, effects: NO_EFFECTS };
  }
  const failed: FailedDeposit = {
    ...deposit,
    source: { ...deposit.source, token: null },
    state: 'failed',
    endedAt: now,
    failure: reason,
  };
  return {
    outcome: { failed: true },
    effects: [
      { effect: 'change_deposit', from: 'pending', deposit: failed },
      {
        effect: 'audit',
        chain: deposit.agentNo,
        action: 'DEPOSIT_FAILED',
        facts: { deposit_id: deposit.id, failure: reason },
      },
    ],
  };
}

/** Nobody has paid in time. Who pays all the same is credited all the same. */
export function expireDeposits(
  view: LedgerView,
  { depositsMax }: ExpireDeposits,
  now: number,
): Decision<DepositsExpired> {
  const due = view.dueDeposits(now, depositsMax).filter((found) => found.state === 'pending');
  const effects = due.flatMap((deposit): Effect[] => {
    const expired: ExpiredDeposit = { ...deposit, state: 'expired' };
    return [
      { effect: 'change_deposit', from: 'pending', deposit: expired },
      {
        effect: 'audit',
        chain: deposit.agentNo,
        action: 'DEPOSIT_EXPIRED',
        facts: { deposit_id: deposit.id },
      },
    ];
  });
  return { outcome: { expired: due.map(({ id }) => id) }, effects };
}

/** Disabled agents too: the money has come, and it is theirs. */
function settle(
  view: LedgerView,
  deposit: OpenDeposit,
  received: Msat,
  receiptIndex: number | null,
  now: number,
): { deposit: SettledDeposit; effects: Effect[] } | Refusal {
  const agent = view.agent(deposit.agentNo);
  if (!canCredit(agent.available, received) || !canDebit(view.railSimulated, received)) {
    return outOfRange();
  }
  const { source } = deposit;
  const balance = msat(agent.available.balance + received);
  const settled: SettledDeposit = {
    ...deposit,
    source: source.type === 'cashu_token' ? { ...source, token: null } : source,
    state: 'settled',
    endedAt: now,
    received,
    receiptIndex,
    balanceAfter: balance,
  };
  const effects: Effect[] = [
    { effect: 'change_deposit', from: deposit.state, deposit: settled },
    ...transfer('deposit', view.railSimulated.id, agent.available.id, received, deposit.id),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'DEPOSIT_SETTLED',
      facts: {
        deposit_id: deposit.id,
        correlation_id: deposit.correlationId,
        amount: received,
        receipt_index: receiptIndex,
        balance,
      },
    },
  ];
  return { deposit: settled, effects };
}

const isOpen = (deposit: Deposit): deposit is OpenDeposit =>
  deposit.state === 'pending' || deposit.state === 'expired';

function settledOutcome(view: LedgerView, deposit: SettledDeposit): DepositSettled {
  return {
    depositId: deposit.id,
    agentId: view.agent(deposit.agentNo).id,
    received: deposit.received,
    balance: deposit.balanceAfter,
    settledAt: deposit.endedAt,
  };
}

function sourceFacts(source: Deposit['source']) {
  return source.type === 'invoice'
    ? {
        payment_request: source.paymentRequest,
        payment_hash: source.paymentHash,
        expires_at: source.expiresAt,
      }
    : { token_hash: source.tokenHash, token_key: source.tokenKey };
}

/** Whose it was stays between them and the mint. */
const alreadyDeposited = (known: Deposit, agentNo: number): Refusal =>
  refuse(
    'already_deposited',
    'this ecash is being deposited or has been deposited; nothing was changed',
    known.agentNo === agentNo ? { deposit_id: known.id } : undefined,
  );

const tooManyDeposits = (): Refusal =>
  refuse('too_many_deposits', `${PENDING_DEPOSITS_MAX} deposits are waiting already`);

const outOfRange = (): Refusal =>
  refuse('invalid_request', 'the deposit would take a balance out of the exact range', {
    param: 'amount_msat',
  });

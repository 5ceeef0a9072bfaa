/**
 * Money out, as far as the ledger decides it before anybody is called: denied, waiting for a human,
 * held for the wallet, or moved at once to another agent.
 */
import { type Msat, minMsat, msat, ZERO_MSAT } from '@arbstr/shared';
import { type PendingApproval, WITHDRAWAL_TIMEOUT_MS } from '../approval/approval.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { FailedPayment, HeldPayment, Payment, RequestedPayment } from '../payment/payment.ts';
import { holdOf, NEVER_SENT } from '../payment/payment.ts';
import {
  type ForbiddingRule,
  feeLimitOf,
  isForbidden,
  type LimitRule,
  overLimit,
  type PolicyVersion,
  policyFor,
} from '../policy/spend-policy.ts';
import { canCredit } from './account.ts';
import type { Pay } from './command.ts';
import { BOUND_MS, tooManyPayments } from './daily-bound.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import type { PaymentAccepted } from './outcome.ts';
import { moveInside } from './payment-end.ts';
import { createdFacts } from './payment-facts.ts';
import { frozen } from './rail.ts';
import { agentDisabled, insufficientBalance, invalidToken } from './reserve.ts';
import { minuteOf } from './spend-window.ts';
import { type AgentState, isUsable, type LedgerView } from './view.ts';

/**
 * Denials of one agent that are kept in 24 h, each up to 17 kB (a long invoice stands in the payment
 * and in the audit trail): at most 1.7 MB a day.
 */
export const DENIALS_KEPT_MAX = 100;

type Identity = Omit<HeldPayment, 'state'>;

/**
 * The checks stand in the order in which they are answered: who, is it the same invoice again, may
 * the agent pay there, has it the money, is it within the limits.
 */
export function pay(view: LedgerView, command: Pay, now: number): Decision<PaymentAccepted> {
  const token = view.token(command.tokenHash);
  if (!token || !isUsable(token, now)) return no(invalidToken());
  const agent = view.agent(token.agentNo);
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  const payee = payeeOf(view, agent, command);
  if (payee !== null && 'refused' in payee) return no(payee);
  const repeated = repeats(view, agent, command);
  if (repeated) return no(repeated);
  const refused = frozen(view, command.destination.type === 'internal' ? 'internal' : command.rail);
  if (refused) return no(refused);

  const policy = policyFor(agent.policy, { kind: 'destination', names: command.destinationNames });
  if (isForbidden(policy)) {
    const reason = FORBIDDEN[policy.rule];
    if (command.mode === 'payment') return deny(view, agent, command, payee, now, reason);
    const message = `the agent's spend policy denies it: ${reason}`;
    return no(refuse('policy_denied', message, { rule: policy.rule, reason }));
  }
  const maxFee = maxFeeOf(policy, command);
  // Two safe integers; where their sum leaves the exact range it is above any balance.
  if (agent.available.balance < command.amount + maxFee) {
    if (command.mode === 'withdrawal') {
      return no(insufficientBalance(agent, command.amount, maxFee));
    }
    return deny(view, agent, command, payee, now, 'insufficient_balance', maxFee);
  }
  const over = overLimit(policy, {
    amount: command.amount,
    fee: maxFee,
    spent: view.spent(agent.no, minuteOf(now)),
    held: agent.held.balance,
  });
  if (!canCredit(agent.held, command.amount + maxFee)) {
    return no(refuse('invalid_request', 'the sum of open holds would leave the exact range'));
  }
  if (over !== null && command.mode === 'payment' && policy.approvalTimeoutMs === null) {
    return deny(view, agent, command, payee, now, EXCEEDED[over.rule], maxFee);
  }
  const full = tooManyPayments(view, agent.no, payee === null || over !== null, now);
  if (full) return no(full);
  const identity = identityOf(agent, command, payee, now, maxFee);
  if (command.mode === 'withdrawal') {
    const waitMs = policy.approvalTimeoutMs ?? WITHDRAWAL_TIMEOUT_MS;
    return ask(agent, identity, command, over?.rule ?? 'withdrawal', waitMs);
  }
  if (over === null || policy.approvalTimeoutMs === null) {
    return startPayment(view, agent, identity, payee, now);
  }
  return ask(agent, identity, command, over.rule, policy.approvalTimeoutMs);
}

/** The reasons that the published original gave, so that its users' code still understands them. */
const FORBIDDEN: Record<ForbiddingRule, string> = {
  no_policy: 'no_policy_configured',
  unreadable_policy: 'policy_engine_error',
  allowed_models: 'model_not_allowed',
  allowed_destinations: 'destination_not_allowed',
};
const EXCEEDED: Record<LimitRule, string> = {
  max_transaction_msat: 'exceeds_max_transaction',
  daily_limit_msat: 'exceeds_daily_limit',
};

/** What a caller asks for can only lower what the policy allows, and the wallet's own bound both. */
function maxFeeOf(policy: PolicyVersion, command: Pay): Msat {
  const { amount, maxFeeAsked, feeBound, destination } = command;
  if (destination.type === 'internal') return ZERO_MSAT;
  const allowed = feeLimitOf(policy, amount);
  const wanted = maxFeeAsked === null ? allowed : minMsat(maxFeeAsked, allowed);
  return feeBound === null ? wanted : minMsat(wanted, feeBound);
}

function payeeOf(view: LedgerView, payer: AgentState, { destination }: Pay) {
  if (destination.type !== 'internal') return null;
  const payee = view.agentById(destination.text);
  if (payee === undefined) return refuse('not_found', 'no such agent to pay', PARAM);
  if (payee.no === payer.no) return refuse('invalid_request', 'an agent cannot pay itself', PARAM);
  if (payee.disabledAt !== null) {
    return refuse('invalid_request', 'the agent to pay is disabled', PARAM);
  }
  return payee;
}

const PARAM = { param: 'destination' };

/**
 * One invoice is one payment until that has proven failure; whose it is stays between them. What
 * waits for a human keeps nobody else from paying: a forged invoice needs only another's hash.
 */
export function repeats(
  view: LedgerView,
  agent: AgentState | null,
  { destination }: Pick<Pay, 'destination'>,
): Refusal | null {
  const { paymentHash } = destination;
  if (paymentHash === null) return null;
  if (view.depositByHash(paymentHash) !== undefined) {
    return refuse(
      'invalid_request',
      "this is an invoice of this vault's own: pay the agent itself, with destination_type internal",
      PARAM,
    );
  }
  const asked = agent === null ? undefined : view.askedByHash(agent.no, paymentHash);
  const known = view.paymentByHash(paymentHash) ?? asked;
  if (known === undefined) return null;
  return refuse(
    'already_paid',
    'this invoice is being paid or has been paid, or you have asked for it; nothing was changed',
    known.agentNo === agent?.no ? { transaction_id: known.id, state: known.state } : undefined,
  );
}

function identityOf(
  agent: AgentState,
  command: Pay,
  payee: AgentState | null,
  now: number,
  maxFee: Msat,
): Identity {
  return {
    id: command.transactionId,
    agentNo: agent.no,
    kind: command.mode,
    destination: command.destination,
    payeeNo: payee?.no ?? null,
    amount: command.amount,
    maxFee,
    purpose: command.purpose,
    rail: payee === null ? command.rail : 'internal',
    decision: 'ALLOW',
    decisionReason: 'policy_passed',
    approvalId: null,
    correlationId: command.correlationId,
    createdAt: now,
  };
}

/**
 * A row that says no, so that the caller finds it under its id. Nothing is held. Denying costs an
 * agent nothing, so only so many are kept: it must not be able to fill the operator's disk.
 */
function deny(
  view: LedgerView,
  agent: AgentState,
  command: Pay,
  payee: AgentState | null,
  now: number,
  reason: string,
  maxFee: Msat = ZERO_MSAT,
): Decision<PaymentAccepted> {
  const denied: FailedPayment = {
    ...identityOf(agent, command, payee, now, maxFee),
    ...NEVER_SENT,
    decision: 'DENY',
    decisionReason: reason,
    state: 'failed',
    endedAt: now,
    failure: reason,
  };
  if (view.deniedPayments(agent.no, now - BOUND_MS) >= DENIALS_KEPT_MAX) {
    const outcome = { ...accepted(denied), unkept: denied };
    return { outcome, effects: NO_EFFECTS, unkept: true };
  }
  return {
    outcome: accepted(denied),
    effects: [
      { effect: 'insert_payment', payment: denied },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'PAYMENT_DENIED',
        facts: { ...createdFacts(denied), balance: agent.available.balance },
      },
    ],
  };
}

/** available → held, or at once to the other agent. */
export function startPayment(
  view: LedgerView,
  agent: AgentState,
  identity: Identity,
  payee: AgentState | null,
  now: number,
): Decision<PaymentAccepted> {
  const held: HeldPayment = { ...identity, state: 'held' };
  if (payee !== null) {
    const moved = moveInside(view, held, agent, payee, now, 'available');
    return { outcome: accepted(moved.payment), effects: moved.effects };
  }
  const balance = agent.available.balance - holdOf(held);
  return {
    outcome: accepted(held),
    effects: [
      { effect: 'insert_payment', payment: held },
      ...transfer('hold', agent.available.id, agent.held.id, holdOf(held), held.id),
      {
        effect: 'audit',
        chain: agent.no,
        action: 'PAYMENT_HELD',
        facts: { ...createdFacts(held), balance },
      },
    ],
  };
}

/** Holds the money and asks a human. */
function ask(
  agent: AgentState,
  identity: Identity,
  command: Pay,
  rule: LimitRule | 'withdrawal',
  waitMs: number,
): Decision<PaymentAccepted> {
  const reason =
    rule === 'withdrawal' ? 'withdrawal_requires_approval' : `${EXCEEDED[rule]}_requires_approval`;
  const requested: RequestedPayment = {
    ...identity,
    state: 'requested',
    decision: 'REQUIRE_HUMAN_APPROVAL',
    decisionReason: reason,
    approvalId: command.approvalId,
  };
  const approval: PendingApproval = {
    id: command.approvalId,
    agentNo: agent.no,
    type: command.mode,
    transactionId: requested.id,
    amount: requested.amount,
    maxFee: requested.maxFee,
    destinationType: requested.destination.type,
    destination: requested.destination.text,
    rule,
    correlationId: requested.correlationId,
    createdAt: requested.createdAt,
    expiresAt: requested.createdAt + waitMs,
    status: 'pending',
  };
  const hold = holdOf(requested);
  const effects: Effect[] = [
    { effect: 'insert_payment', payment: requested },
    { effect: 'insert_approval', approval },
    ...transfer('hold', agent.available.id, agent.held.id, hold, requested.id),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'APPROVAL_REQUESTED',
      facts: {
        ...createdFacts(requested),
        approval_id: approval.id,
        approval_type: approval.type,
        rule,
        expires_at: approval.expiresAt,
        balance: msat(agent.available.balance - hold),
      },
    },
  ];
  return { outcome: { ...accepted(requested), expiresAt: approval.expiresAt }, effects };
}

const accepted = (payment: Payment): PaymentAccepted => ({
  transactionId: payment.id,
  state: payment.state,
  amount: payment.amount,
  approvalId: payment.approvalId,
  expiresAt: null,
});

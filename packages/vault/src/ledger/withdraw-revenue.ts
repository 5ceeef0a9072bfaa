/**
 * Revenue out. The operator has a sub-account of its own, the treasury, which is an agent without
 * token and policy: what leaves goes through it, so that it is paid by the same machine, with the
 * same care, as any other payment. What a payment gives back stays there for the next withdrawal.
 *
 *   operator:revenue, operator:equity ─▶ treasury available ─▶ treasury held ─▶ rail
 *
 * Losses come off first. A bill that nobody could pay stands in revenue and in loss, and a fee
 * above its limit left the rail: what rails hold beyond the agents' and sellers' money is revenue
 * and equity less the losses, and whoever took out more would take it from them.
 */
import { type Msat, maxMsat, minMsat, msat, subMsat, ZERO_MSAT } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import { type HeldPayment, holdOf } from '../payment/payment.ts';
import { feeLimitOf, NO_LIMITS } from '../policy/spend-policy.ts';
import { canCredit } from './account.ts';
import type { WithdrawRevenue } from './command.ts';
import { type Decision, type Effect, no, transfer } from './effect.ts';
import type { PaymentAccepted } from './outcome.ts';
import { repeats, startPayment } from './pay.ts';
import { frozen } from './rail.ts';
import type { AgentState, LedgerView } from './view.ts';

const TREASURY_NAME = "operator's treasury";

export function withdrawRevenue(
  view: LedgerView,
  command: WithdrawRevenue,
  now: number,
): Decision<PaymentAccepted> {
  const repeated = repeats(view, null, command);
  if (repeated) return no(repeated);
  const refused = frozen(view, command.rail);
  if (refused) return no(refused);

  const payment = paymentOf(command, now);
  const treasury = treasuryOf(view, command, now);
  const has = treasury.agent.available.balance as Msat;
  const available = has + operatorsOwn(view);
  if (holdOf(payment) > available) return no(insufficient(available, holdOf(payment)));
  const missing = subMsat(maxMsat(holdOf(payment), has), has);
  const fromRevenue = minMsat(missing, view.revenue.balance as Msat);
  const fromEquity = subMsat(missing, fromRevenue);
  if (!canCredit(treasury.agent.held, holdOf(payment))) {
    return no(refuse('invalid_request', 'the sum of open holds would leave the exact range'));
  }

  const balance = msat(has + missing);
  const agent = withBalance(treasury.agent, balance);
  const taken: Effect[] = [
    ...transfer('withdrawal', view.revenue.id, agent.available.id, fromRevenue, payment.id),
    ...transfer('withdrawal', view.equity.id, agent.available.id, fromEquity, payment.id),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'REVENUE_TAKEN',
      facts: {
        transaction_id: payment.id,
        correlation_id: command.correlationId,
        amount: missing,
        from_revenue: fromRevenue,
        from_equity: fromEquity,
        balance,
      },
    },
  ];
  const started = startPayment(view, agent, { ...payment, agentNo: agent.no }, null, now);
  return {
    ...started,
    effects: [...treasury.effects, ...(missing > 0 ? taken : []), ...started.effects],
  };
}

type Unowned = Omit<HeldPayment, 'agentNo'>;

function paymentOf(command: WithdrawRevenue, now: number): Unowned {
  const { amount, feeBound } = command;
  const allowed = feeLimitOf(NO_LIMITS, amount);
  return {
    state: 'held',
    id: command.transactionId,
    kind: 'withdrawal',
    destination: command.destination,
    payeeNo: null,
    amount,
    maxFee: feeBound === null ? allowed : minMsat(allowed, feeBound),
    purpose: 'revenue',
    rail: command.rail,
    decision: 'ALLOW',
    decisionReason: 'operator',
    approvalId: null,
    correlationId: command.correlationId,
    createdAt: now,
  };
}

/** The treasury, made with the first withdrawal. */
function treasuryOf(
  view: LedgerView,
  command: WithdrawRevenue,
  now: number,
): { agent: AgentState; effects: Effect[] } {
  const known = view.treasuryNo();
  if (known !== undefined) return { agent: view.agent(known), effects: [] };
  const no = view.nextAgentNo();
  const availableId = view.nextAccountId();
  const heldId = availableId + 1;
  const id = command.treasuryId;
  const metadata = '{}';
  const empty = { normal: 'credit', balance: ZERO_MSAT } as const;
  return {
    agent: {
      no,
      id,
      disabledAt: null,
      policy: null,
      available: { id: availableId, ...empty },
      held: { id: heldId, ...empty },
    },
    effects: [
      {
        effect: 'insert_agent',
        no,
        id,
        name: TREASURY_NAME,
        metadata,
        createdAt: now,
        availableId,
        heldId,
      },
      { effect: 'set_treasury', agentNo: no },
      {
        effect: 'audit',
        chain: no,
        action: 'TREASURY_CREATED',
        facts: {
          agent_id: id,
          correlation_id: command.correlationId,
          name: TREASURY_NAME,
          metadata,
          available_account: availableId,
          held_account: heldId,
        },
      },
    ],
  };
}

/** As it is when the transfers before the hold have been applied. */
const withBalance = (agent: AgentState, balance: Msat): AgentState => ({
  ...agent,
  available: { ...agent.available, balance },
});

/**
 * What rails hold beyond what agents and sellers are owed, msat. Loss has a balance below zero;
 * below zero in all, the operator owes rails the difference. It is at most what revenue and equity
 * hold, so that those two can always be debited as much.
 */
const operatorsOwn = ({ revenue, loss, equity }: LedgerView): number =>
  revenue.balance + loss.balance + equity.balance;

function insufficient(available: number, needed: Msat): Refusal {
  const balance = Math.max(0, available);
  return refuse(
    'insufficient_balance',
    `the operator has ${balance} msat after losses and this needs ${needed}, with the most that fees may take`,
    { current_balance_msats: balance, requested_msats: needed },
  );
}

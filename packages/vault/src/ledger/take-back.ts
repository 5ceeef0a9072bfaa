/** An agent's money goes back to the operator: taken by amount and with a reason, or all that is left. */
import { type Msat, msat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import { canCredit } from './account.ts';
import { noSuchAgent } from './agents.ts';
import { balanceAlert } from './alert.ts';
import type { Debit, DisableAgent } from './command.ts';
import { type Decision, type Effect, no, transfer } from './effect.ts';
import type { AgentDisabled, Debited } from './outcome.ts';
import { insufficientBalance } from './reserve.ts';
import type { AgentState, LedgerView } from './view.ts';

/** available → operator:equity. Never of what is held: that is promised to somebody. */
export function debit(view: LedgerView, command: Debit, now: number): Decision<Debited> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  const { amount, transactionId } = command;
  if (agent.available.balance < amount) return no(insufficientBalance(agent, amount));
  if (!canCredit(view.equity, amount)) return no(outOfRange());
  const balance = msat(agent.available.balance - amount);
  return {
    outcome: { agentId: agent.id, amount, balance, transactionId },
    effects: [
      ...transfer('debit', agent.available.id, view.equity.id, amount, transactionId),
      {
        effect: 'audit',
        chain: agent.no,
        action: 'DEBIT',
        facts: {
          transaction_id: transactionId,
          correlation_id: command.correlationId,
          amount,
          balance,
          reason: command.reason,
        },
      },
      ...balanceAlert(view, agent, balance, now),
    ],
  };
}

/**
 * Refuses new commands of this agent from now on; open holds still settle. Said again it changes
 * nothing, but sweeps what has come back since.
 */
export function disableAgent(
  view: LedgerView,
  command: DisableAgent,
  now: number,
): Decision<AgentDisabled> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  const { sweepId, correlationId } = command;
  const effects: Effect[] = [];
  if (agent.disabledAt === null) {
    effects.push(
      { effect: 'disable_agent', agentNo: agent.no, at: now },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'AGENT_DISABLED',
        facts: { correlation_id: correlationId },
      },
    );
  }
  const amount = agent.available.balance as Msat;
  const sweeps = sweepId !== null && amount > 0;
  if (sweeps) {
    const sweep = sweepEffects(view, agent, sweepId, correlationId);
    if ('refused' in sweep) return no(sweep);
    effects.push(...sweep);
  }
  return {
    outcome: {
      agentId: agent.id,
      disabledAt: agent.disabledAt ?? now,
      swept: sweeps ? { amount, transactionId: sweepId } : null,
    },
    effects,
  };
}

/**
 * All that a disabled agent has available. What its open holds give back later stays with it until
 * it is swept again: a settle must not depend on what the operator asked for once.
 */
function sweepEffects(
  view: LedgerView,
  agent: AgentState,
  transactionId: string,
  correlationId: string,
): Effect[] | Refusal {
  const amount = agent.available.balance as Msat;
  if (!canCredit(view.equity, amount)) return outOfRange();
  return [
    ...transfer('sweep', agent.available.id, view.equity.id, amount, transactionId),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'AGENT_SWEPT',
      facts: {
        transaction_id: transactionId,
        correlation_id: correlationId,
        amount,
        balance: 0,
      },
    },
  ];
}

const outOfRange = (): Refusal =>
  refuse('invalid_request', 'the amount would take a balance out of the exact range', {
    param: 'amount_msat',
  });

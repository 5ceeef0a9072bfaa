import { type Msat, msat } from '@arbstr/shared';
import { LEDGER_CHAIN } from '../audit/action.ts';
import type { Decision, Effect } from './effect.ts';
import type { AgentState, LedgerView } from './view.ts';

/** Where the policy has a floor and no cooldown. */
const COOLDOWN_MS = 60 * 60 * 1000;

const NONE: readonly Effect[] = [];

/**
 * Says once per cooldown that the agent has less available than its floor. Costs a comparison where
 * there is no floor or the agent is above it. A reserve is no reason to say it: it holds far more
 * than most requests cost, and the settle that gives the rest back is looked at instead.
 */
export function balanceAlert(
  view: LedgerView,
  agent: AgentState,
  balance: Msat,
  now: number,
): readonly Effect[] {
  const floor = agent.policy?.alertFloorMsat ?? null;
  if (floor === null || balance >= floor) return NONE;
  const last = view.lastAlertAt(agent.no);
  const cooldownMs = agent.policy?.alertCooldownMs ?? COOLDOWN_MS;
  if (last !== undefined && now - last < cooldownMs) return NONE;
  return [
    { effect: 'balance_alert', agentNo: agent.no, at: now },
    {
      effect: 'audit',
      chain: agent.no,
      action: 'BALANCE_ALERT',
      facts: { balance, alert_floor_msat: floor },
    },
  ];
}

/** The decision, and what it leaves to be said of agents whose available it lowers. */
export function withBalanceAlerts<T>(
  view: LedgerView,
  decision: Decision<T>,
  now: number,
): Decision<T> {
  const { effects } = decision;
  const changed = new Set(
    effects.flatMap((effect) => (effect.effect === 'audit' ? [effect.chain] : [])),
  );
  changed.delete(LEDGER_CHAIN);
  const alerts = [...changed].flatMap((agentNo) => {
    const agent = view.agent(agentNo);
    const change = changeOf(agent.available.id, effects);
    if (change >= 0) return NONE;
    return balanceAlert(view, agent, msat(agent.available.balance + change), now);
  });
  return alerts.length === 0 ? decision : { ...decision, effects: [...effects, ...alerts] };
}

function changeOf(accountId: number, effects: readonly Effect[]): number {
  let change = 0;
  for (const effect of effects) {
    if (effect.effect !== 'transfer') continue;
    if (effect.debit === accountId) change -= effect.amount;
    if (effect.credit === accountId) change += effect.amount;
  }
  return change;
}

import type { Msat } from '@arbstr/shared';
import type { Effect } from './effect.ts';
import type { AgentState, LedgerView } from './view.ts';

/** Where the policy has a floor and no cooldown. */
const COOLDOWN_MS = 60 * 60 * 1000;

const NONE: readonly Effect[] = [];

/**
 * After money has left an agent: says once per cooldown that it has less available than its floor.
 * Costs a comparison where there is no floor or the agent is above it. A hold is no reason to say
 * it: it may be far more than is charged, and its end is looked at instead.
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
    { effect: 'balance_alert', agentNo: agent.no, at: now, balance, floor },
    {
      effect: 'audit',
      chain: agent.no,
      action: 'BALANCE_ALERT',
      facts: { balance, alert_floor_msat: floor },
    },
  ];
}

/** A rail that broke its word is frozen: nothing is sent on it until the operator has thawed it. */
import type { Msat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import type { Rail } from '../wallet/wallet.ts';
import type { ThawRail } from './command.ts';
import { type Decision, type Effect, no } from './effect.ts';
import type { RailThawed } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** The refusal of whatever would pay on this rail; null where it may. */
export function frozen(view: LedgerView, rail: Rail | 'internal'): Refusal | null {
  const known = view.rail(rail);
  if (!known?.frozenAt) return null;
  return refuse(
    'rail_frozen',
    `the rail ${rail} is frozen: ${known.reason}; nothing was changed, the operator has to look at it`,
    { rail },
  );
}

/** A wallet that takes more than it was allowed may do it again. Nothing where it did not. */
export function freezeOnExcess(
  paid: { what: 'payment' | 'payout'; id: string; rail: string; correlationId?: string },
  excess: Msat,
  now: number,
): Effect[] {
  if (excess === 0) return [];
  const { what, id, rail, correlationId } = paid;
  const reason = `${what} ${id} cost ${excess} msat more in fees than it was allowed`;
  return [
    { effect: 'set_rail', rail: { name: rail, frozenAt: now, reason } },
    {
      effect: 'audit',
      chain: 0,
      action: 'RAIL_FROZEN',
      facts: { rail, reason, correlation_id: correlationId },
    },
  ];
}

/** The operator has looked at what the rail did; payments go on. */
export function thawRail(view: LedgerView, command: ThawRail): Decision<RailThawed> {
  const { rail, correlationId } = command;
  const known = view.rail(rail);
  if (!known?.frozenAt) {
    return no(refuse('not_found', `no frozen rail ${rail}`));
  }
  return {
    outcome: { rail },
    effects: [
      { effect: 'set_rail', rail: { name: rail, frozenAt: null, reason: null } },
      {
        effect: 'audit',
        chain: 0,
        action: 'RAIL_THAWED',
        facts: { rail, correlation_id: correlationId },
      },
    ],
  };
}

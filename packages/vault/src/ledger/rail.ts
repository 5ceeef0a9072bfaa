import { refuse } from '../errors.ts';
import type { ThawRail } from './command.ts';
import { type Decision, NO_EFFECTS } from './effect.ts';
import type { RailThawed } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** The operator has looked at what the rail did; payments go on. */
export function thawRail(view: LedgerView, command: ThawRail): Decision<RailThawed> {
  const { rail, correlationId } = command;
  const known = view.rail(rail);
  if (!known?.frozenAt) {
    return { outcome: refuse('not_found', `no frozen rail ${rail}`), effects: NO_EFFECTS };
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

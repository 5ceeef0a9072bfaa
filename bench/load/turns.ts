/** The requests of a turn, made anew each time: reservation ids are never used twice. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createIdSource } from '../../packages/shared/src/index.ts';
import { requestText } from './connection.ts';
import type { Turns } from './job.ts';

export interface TurnSource {
  /** Requests per turn. */
  readonly length: number;
  readonly streamed: boolean;
  next(): readonly string[];
}

export function createTurns(turns: Turns): TurnSource {
  switch (turns.kind) {
    case 'same': {
      const turn = [requestText(turns.shot)];
      return { length: 1, streamed: turns.streamed, next: () => turn };
    }
    case 'pairs':
      return createPairs(turns);
  }
}

const MODEL = 'gpt-4o-mini';
const CORE_ID = 'core_01JBENCH0000000000000000000';
const HELD_MSATS = 2_500;
const CHARGED_MSATS = 1_234;

/** The same fields, at the same length, as core sends. */
function createPairs({ internalToken, agents }: Turns & { kind: 'pairs' }): TurnSource {
  const newId = createIdSource(Date.now, randomBytes);
  const headers = { 'x-internal-token': internalToken };
  let turn = 0;
  return {
    length: 2,
    streamed: false,
    next() {
      const agent = agents[turn++ % agents.length]!;
      const reservationId = newId('reservation');
      const correlationId = randomUUID();
      const reserve = {
        agent_token: agent.token,
        amount_msats: HELD_MSATS,
        correlation_id: correlationId,
        model: MODEL,
        requested_model: MODEL,
        reservation_id: reservationId,
        expires_in_secs: 60,
        core_id: CORE_ID,
      };
      const settle = {
        reservation_id: reservationId,
        actual_msats: CHARGED_MSATS,
        tokens_in: 112,
        tokens_out: 63,
        provider: 'alpha',
        latency_ms: 7,
        provider_cost_msats: CHARGED_MSATS,
        estimated: false,
        agent_id: agent.id,
        correlation_id: correlationId,
        model: MODEL,
      };
      return [
        requestText({ path: '/internal/reserve', headers, body: JSON.stringify(reserve) }),
        requestText({ path: '/internal/settle', headers, body: JSON.stringify(settle) }),
      ];
    },
  };
}

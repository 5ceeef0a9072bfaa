import { z } from 'zod';
import { QUEUE_MAX } from '../../ledger/engine.ts';
import type { App } from '../app-type.ts';
import type { VaultParts } from '../parts.ts';
import { railState, railStateAnswer } from '../rail-state.ts';

const healthAnswer = z.object({
  status: z.enum(['ok', 'unhealthy']),
  mode: z.enum(['normal', 'recovery']),
  ledger_epoch: z.string(),
  rails: z.record(z.string(), railStateAnswer),
  database: z.object({
    readable: z.boolean(),
    writable: z.boolean(),
    reason: z.string().nullable(),
    last_commit_at: z.int(),
  }),
  /** Null where no webhook is configured. */
  webhooks: z
    .object({
      pending: z.int(),
      oldest_pending_ms: z.int().nullable(),
      dead_letters: z.int(),
    })
    .nullable(),
  queue: z.object({ depth: z.int(), max: z.int() }),
  timestamp: z.int(),
});

/**
 * Whether the vault can do its work. The ledger commits at least once a second, so a disk that
 * cannot be written shows here within that time, without a write by whoever asks.
 */
export async function healthRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, wallet, agents, outbox, courier, time, epoch } = parts;

  function webhookState() {
    if (courier === null) return null;
    const { pending, dead, oldestPendingAt } = outbox.counts();
    return {
      pending,
      oldest_pending_ms: oldestPendingAt === null ? null : time.now() - oldestPendingAt,
      dead_letters: dead,
    };
  }

  app.get(
    '/health',
    {
      schema: {
        summary: 'Can the vault serve; 503 with the reason where it cannot',
        tags: ['health'],
        response: { 200: healthAnswer, 503: healthAnswer },
      },
    },
    async (_request, reply) => {
      const { storage } = engine;
      const readFailure = failureOf(() => agents.list('', 1));
      const writable = storage.state === 'ok';
      const healthy = writable && readFailure === null;
      return reply.code(healthy ? 200 : 503).send({
        status: healthy ? ('ok' as const) : ('unhealthy' as const),
        mode: engine.recovering ? ('recovery' as const) : ('normal' as const),
        ledger_epoch: epoch,
        rails: { [wallet.rail]: readFailure === null ? railState(parts) : { status: 'degraded' } },
        database: {
          readable: readFailure === null,
          writable,
          reason: writable ? readFailure : storage.reason,
          last_commit_at: engine.ledgerMs,
        },
        webhooks: readFailure === null ? webhookState() : null,
        queue: { depth: engine.queueDepth, max: QUEUE_MAX },
        timestamp: time.now(),
      });
    },
  );
}

function failureOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    return `the database cannot be read: ${(error as Error).message}`;
  }
}

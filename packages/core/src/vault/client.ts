import {
  authenticateAnswerSchema,
  extendAnswerSchema,
  HEADERS,
  releaseAnswerSchema,
  reservationListSchema,
  reservationSchema,
  reserveAnswerSchema,
  settleAnswerSchema,
  VAULT_ERRORS,
  type VaultErrorCode,
} from '@arbstr/shared';
import { type Dispatcher, Pool } from 'undici';
import type { z } from 'zod';
import type { Vault, VaultReply } from '../ports.ts';

/** The vault answers in milliseconds; past these it is treated as unreachable. */
const ANSWER_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** The whole call, the wait for a free connection included. */
const CALL_TIMEOUT_MS = 8_000;
const HEALTH_TIMEOUT_MS = 1_000;
const CONNECTIONS_MAX = 64;
/** Shorter than the vault's own keep-alive, so that a request never meets a closing socket. */
const KEEP_ALIVE_MS = 30_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

interface VaultClientOptions {
  url: string;
  internalToken: string;
  coreId: string;
}

/** Speaks the vault's internal routes. Whatever it cannot classify is `unreachable`, never a refusal. */
export function createVaultClient(options: VaultClientOptions): Vault {
  const base = new URL(options.url);
  const prefix = base.pathname.replace(/\/+$/, '');
  const pool = new Pool(base.origin, {
    connections: CONNECTIONS_MAX,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxResponseSize: ANSWER_BYTES_MAX,
  });
  const headers = {
    'content-type': 'application/json',
    [HEADERS.internalToken]: options.internalToken,
  };

  async function call<T>(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    correlationId?: string,
  ): Promise<VaultReply<T>> {
    try {
      const { status, text } = await exchange(pool, {
        method,
        path: prefix + path,
        headers:
          correlationId === undefined
            ? headers
            : { ...headers, [HEADERS.requestId]: correlationId },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return classify(status, text, schema);
    } catch (error) {
      return { kind: 'unreachable', reason: reasonOf(error) };
    }
  }

  return {
    authenticate: (agentToken) =>
      call('POST', '/internal/authenticate', { agent_token: agentToken }, authenticateAnswerSchema),
    reserve: (command) =>
      call(
        'POST',
        '/internal/reserve',
        {
          agent_token: command.agentToken,
          amount_msats: command.amountMsat,
          correlation_id: command.correlationId,
          model: command.model,
          requested_model: command.requestedModel,
          reservation_id: command.reservationId,
          expires_in_secs: command.expiresInSecs,
          core_id: options.coreId,
        },
        reserveAnswerSchema,
        command.correlationId,
      ),
    settle: (command) =>
      call('POST', '/internal/settle', command, settleAnswerSchema, command.correlation_id),
    release: (reservationId, reason) =>
      call(
        'POST',
        '/internal/release',
        { reservation_id: reservationId, reason },
        releaseAnswerSchema,
      ),
    extend: (reservationId, expiresInSecs) =>
      call(
        'POST',
        '/internal/extend',
        { reservation_id: reservationId, expires_in_secs: expiresInSecs },
        extendAnswerSchema,
      ),
    reservation: (reservationId) =>
      call('GET', `/internal/reservations/${reservationId}`, undefined, reservationSchema),
    heldReservations(cursor) {
      const query = new URLSearchParams({ core_id: options.coreId, state: 'held', limit: '100' });
      if (cursor !== null) query.set('cursor', cursor);
      return call('GET', `/internal/reservations?${query}`, undefined, reservationListSchema);
    },
    async health() {
      try {
        const { status, text } = await exchange(
          pool,
          {
            method: 'GET',
            path: `${prefix}/health`,
          },
          HEALTH_TIMEOUT_MS,
        );
        const ok = status === 200;
        const answer = parseJson(text) as { ledger_epoch?: unknown } | null;
        const epoch = answer?.ledger_epoch;
        return {
          ok,
          reason: ok ? null : `the vault answered ${status} on /health`,
          ledgerEpoch: typeof epoch === 'string' ? epoch : null,
        };
      } catch (error) {
        return { ok: false, reason: reasonOf(error), ledgerEpoch: null };
      }
    },
    close: () => pool.destroy(),
  };
}

/**
 * One small request, straight from undici's parser: two of these stand between a caller and its
 * answer, and the stream that `request()` would build for each costs more than the parsing.
 * Rejects on every failure of the network, timeouts included.
 */
function exchange(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    let status = 0;
    const chunks: Buffer[] = [];
    let controller: Dispatcher.DispatchController | null = null;
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      controller?.abort(new Error('no answer in time'));
      reject(new Error('no answer in time'));
    }, timeoutMs);
    pool.dispatch(options, {
      onRequestStart(started) {
        controller = started;
        // Nobody waits for it any more, and it has not been sent.
        if (timedOut) started.abort(new Error('no answer in time'));
      },
      onResponseStart(_controller, code) {
        status = code;
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd() {
        clearTimeout(timer);
        resolve({ status, text: Buffer.concat(chunks).toString('utf8') });
      },
      onResponseError(_controller, error) {
        clearTimeout(timer);
        reject(error);
      },
    });
  });
}

function classify<T>(status: number, text: string, schema: z.ZodType<T>): VaultReply<T> {
  const body = parseJson(text);
  if (status === 200) {
    const parsed = schema.safeParse(body);
    if (parsed.success) return { kind: 'ok', value: parsed.data };
    return { kind: 'unreachable', reason: 'the vault answered 200 with a body of another shape' };
  }
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  const code = error?.code;
  if (status < 500 && typeof code === 'string' && isFinal(code)) {
    const { code: _code, message, ...details } = error ?? {};
    return { kind: 'refused', code, status, message: String(message ?? ''), details };
  }
  return {
    kind: 'unreachable',
    reason: `the vault answered ${status} ${String(code ?? '')}`.trim(),
  };
}

/**
 * These say something of the set-up, not of this command: a wrong internal token or address may be
 * mended without a settlement being lost to it, so they count as no answer.
 */
const ABOUT_THE_SETUP: ReadonlySet<string> = new Set([
  'unauthorized',
  'method_not_allowed',
  'invalid_json',
  'unsupported_media_type',
  'request_too_large',
]);

function isFinal(code: string): code is VaultErrorCode {
  return (
    code in VAULT_ERRORS &&
    !ABOUT_THE_SETUP.has(code) &&
    !VAULT_ERRORS[code as VaultErrorCode].transient
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code === undefined ? String(message ?? error) : `${code}: ${message}`;
}

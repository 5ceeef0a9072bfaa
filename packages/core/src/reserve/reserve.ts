/**
 * RESERVE: the ceiling moves from the agent's available to its held account, before anything is
 * sent to a provider. The journal row is written while the call is under way; both must have
 * succeeded before the caller may dispatch.
 */
import { msat, type ReserveAnswer } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import type { JournalIntent, Vault, VaultReply } from '../ports.ts';
import { type Hold, type HoldDeps, vaultHold } from './hold.ts';
import { HOLD_SECS } from './live.ts';

export interface ReserveDeps extends HoldDeps {
  readonly vault: Vault;
  readonly newReservationId: () => string;
  /** Undelivered ends at which new work is refused. */
  readonly pendingThreshold: number;
}

export interface ReserveOrder extends Omit<JournalIntent, 'reservationId' | 'createdAtMs'> {
  readonly agentToken: string;
}

export async function reserve(deps: ReserveDeps, order: ReserveOrder): Promise<Hold | Refusal> {
  const blocked = refuseWhileBehind(deps);
  if (blocked !== null) return blocked;
  const reservationId = deps.newReservationId();
  deps.live.add(reservationId);
  const { agentToken, ...rest } = order;
  const intent: JournalIntent = { ...rest, reservationId, createdAtMs: deps.nowMs() };
  const [{ reply, uncertain }, journaled] = await Promise.all([
    askVault(deps, intent, agentToken),
    deps.journal.intend(intent).then(
      () => null,
      (error: Error) => error,
    ),
  ]);
  if (journaled !== null)
    return giveUp(deps, reservationId, false, storageRefusal(journaled.message), 'storage');
  if (reply.kind === 'ok' && reply.value.state === 'held') {
    return holdOf(deps, intent, reply.value);
  }
  const nothingHeld = reply.kind === 'refused' && !uncertain;
  const why = reply.kind === 'refused' ? reply.code : reply.kind;
  return giveUp(deps, reservationId, nothingHeld, refusalOf(reply, intent), why);
}

const isHold = (value: Hold | Refusal): value is Hold => !('kind' in value);

export { isHold };

export function holdOf(deps: ReserveDeps, intent: JournalIntent, answer: ReserveAnswer): Hold {
  return vaultHold(deps, {
    reservationId: intent.reservationId,
    agentId: answer.agent_id,
    correlationId: intent.correlationId,
    heldMsat: intent.heldMsat,
    balanceMsat: answer.remaining_balance_msats,
  });
}

/** A second try where the first one failed this fast; a vault that hangs is not asked twice. */
const RETRY_WITHIN_MS = 2_000;

/**
 * A reserve whose answer got lost is asked for once more, under the same id. `uncertain`: one of the
 * tries went unanswered and may still arrive at the vault, after the other was refused.
 */
export async function askVault(
  { vault, nowMs }: ReserveDeps,
  intent: JournalIntent,
  agentToken: string,
): Promise<{ reply: VaultReply<ReserveAnswer>; uncertain: boolean }> {
  const command = {
    reservationId: intent.reservationId,
    agentToken,
    amountMsat: intent.heldMsat,
    correlationId: intent.correlationId,
    model: intent.snapshot.model,
    requestedModel: intent.requestedModel,
    expiresInSecs: HOLD_SECS,
  };
  const askedAtMs = nowMs();
  const reply = await vault.reserve(command);
  if (reply.kind !== 'unreachable') return { reply, uncertain: false };
  if (nowMs() - askedAtMs > RETRY_WITHIN_MS) return { reply, uncertain: true };
  return { reply: await vault.reserve(command), uncertain: true };
}

export function refuseWhileBehind(deps: ReserveDeps): Refusal | null {
  if (deps.journal.trouble !== null) return storageRefusal(deps.journal.trouble);
  if (deps.deliveries.overdue < deps.pendingThreshold) return null;
  return refuse(
    'vault_unavailable',
    `${deps.deliveries.overdue} settlements wait for the vault (limit ${deps.pendingThreshold}); new requests are refused until it takes them. See GET /health.`,
  );
}

export const storageRefusal = (reason: string): Refusal =>
  refuse(
    'storage_unavailable',
    `The journal cannot be written (${reason}), so nothing was dispatched or charged. The operator must free or repair the disk.`,
  );

/**
 * Nothing was dispatched: the row ends, and what the vault may hold goes back. A release also
 * forbids the id for ever, so that a reserve still on its way cannot become a hold without owner.
 */
async function giveUp(
  deps: ReserveDeps,
  reservationId: string,
  nothingHeld: boolean,
  refusal: Refusal,
  why: string,
): Promise<Refusal> {
  deps.live.remove(reservationId);
  const atMs = deps.nowMs();
  if (nothingHeld) {
    deps.journal.delivered(reservationId, atMs, `refused:${why}`);
    return refusal;
  }
  const end = { kind: 'release', reason: 'reserve_failed' } as const;
  const written = deps.journal.end(reservationId, end, atMs);
  deps.deliveries.add({ reservationId, end, endedAtMs: atMs, recovered: false });
  if (deps.journal.trouble === null) await written;
  return refusal;
}

export function refusalOf(reply: VaultReply<ReserveAnswer>, intent: JournalIntent): Refusal {
  if (reply.kind !== 'refused') {
    return refuse(
      'vault_unavailable',
      'The vault does not answer, so nothing was sent to a provider and nothing was charged. Try again; the operator finds the reason on GET /health.',
    );
  }
  const { details } = reply;
  const agent = intent.agentId;
  switch (reply.code) {
    case 'invalid_token':
      return refuse('invalid_api_key', INVALID_TOKEN);
    case 'insufficient_balance': {
      const available = msat(Number(details.current_balance_msats ?? 0));
      const required = msat(Number(details.requested_msats ?? intent.heldMsat));
      return refuse(
        'insufficient_balance',
        `The agent has ${available} msat available; this request may cost up to ${required} msat. Lower max_tokens, or have the operator add funds: ${operatorCall('POST', `/agents/${agent}/deposit`, { amount_msat: required - available })}`,
        { details: { available_msats: available, required_msats: required } },
      );
    }
    case 'policy_denied':
      return refuse('policy_denied', explainPolicy(String(details.rule), agent, intent.heldMsat), {
        details: { ...details },
      });
    case 'approval_required':
      return refuse('approval_required', explainApproval(details, intent.heldMsat), {
        details: { ...details },
      });
    case 'agent_disabled':
      return refuse(
        'agent_disabled',
        `The operator has disabled the agent ${agent}; it can no longer spend. Use the token of another agent.`,
      );
    case 'insufficient_scope':
      return refuse(
        'insufficient_scope',
        `This token may not spend. The operator can make one with the scope "spend" for agent ${agent}.`,
        { details: { ...details } },
      );
    default:
      return refuse(
        'vault_unavailable',
        `The vault refused the reservation (${reply.code}: ${reply.message}); nothing was charged.`,
      );
  }
}

function explainPolicy(rule: string, agent: string, wantedMsat: number): string {
  if (rule === 'no_policy') {
    const policy = { max_transaction_msat: 1_000_000, daily_limit_msat: 10_000_000 };
    return `The agent has no spend policy yet, so it may spend nothing. The operator sets one with: ${operatorCall('PUT', `/agents/${agent}/policy`, policy)}`;
  }
  if (rule === 'unreadable_policy') {
    return `The agent's spend policy cannot be read, so it may spend nothing. The operator sets a new one with: ${operatorCall('PUT', `/agents/${agent}/policy`, {})}`;
  }
  if (rule === 'allowed_models') {
    return `The agent's spend policy does not allow this model. The operator lifts or changes the list with: ${operatorCall('PATCH', `/operator/agents/${agent}/policy`, { allowed_models: null })}`;
  }
  const limit = rule === 'max_transaction_msat' ? wantedMsat : null;
  return `The agent's spend policy refuses this request, which may cost up to ${wantedMsat} msat (rule ${rule}). Lower max_tokens, or have the operator change the limit (null = none): ${operatorCall('PATCH', `/operator/agents/${agent}/policy`, { [rule]: limit })}`;
}

function explainApproval(details: Readonly<Record<string, unknown>>, wantedMsat: number): string {
  const approve = operatorCall('POST', `/operator/approvals/${details.approval_id}/approve`, {});
  return `This request may cost up to ${wantedMsat} msat, which is over the agent's limit (rule ${details.rule}); nothing was charged. It waits for the operator's approval: ${approve} Once approved, send it again within 10 minutes.`;
}

/** A line to copy, for an operator's shell that knows VAULT_URL and VAULT_ADMIN_TOKEN. */
function operatorCall(method: string, path: string, body: object): string {
  return `curl -X ${method} "$VAULT_URL${path}" -H "Authorization: Bearer $VAULT_ADMIN_TOKEN" -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
}

export const INVALID_TOKEN = `The agent token is missing, wrong, revoked or expired. Send it as "Authorization: Bearer vtk_…". The operator makes an agent with its token by: ${operatorCall('POST', '/agents', { name: 'my-agent', policy: { daily_limit_msat: 10_000_000 } })} and funds it by POST /agents/<agent_id>/deposit.`;

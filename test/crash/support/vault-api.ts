/** The vault's internal routes, called as a core would. */
import { randomBytes } from 'node:crypto';
import { createIdSource } from '../../../packages/shared/src/ids.ts';
import { INTERNAL_TOKEN, type Stack } from '../../support/stack.ts';

const newId = createIdSource(Date.now, randomBytes);
export const newReservationId = (): string => newId('reservation');

export interface VaultAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Null where the vault did not answer: whether it acted is unknown. */
export async function callVault(
  stack: Stack,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<VaultAnswer | null> {
  try {
    const answer = await fetch(`${stack.vault!.url}/internal${path}`, {
      method,
      headers: { 'x-internal-token': INTERNAL_TOKEN, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(5_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  } catch {
    return null;
  }
}

/** `held`, `settled`, …; null where the vault does not know the reservation. */
export async function reservationState(stack: Stack, id: string): Promise<string | null> {
  const answer = await callVault(stack, 'GET', `/reservations/${id}`);
  return answer?.status === 200 ? String(answer.body.state) : null;
}

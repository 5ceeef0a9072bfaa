/** Payments as tests make them: invoices of a payee outside, and a wallet that can misbehave. */
import { hash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Msat, msat } from '@arbstr/shared';
import { encodeInvoice } from '../../src/bolt11/encode.ts';
import {
  type Answer,
  call,
  START_MS,
  type TestAgent,
  type TestVault,
  temporaryFolder,
} from './vault.ts';

const PAYEE_KEY = Buffer.alloc(32, 7);

/** A real BOLT 11 invoice. */
export function invoice(
  amountMsat: number | null,
  over: { paymentHash?: string; expirySecs?: number } = {},
): string {
  return encodeInvoice(
    {
      network: 'regtest',
      amountMsat: amountMsat === null ? null : (msat(amountMsat) as Msat),
      createdAtMs: START_MS,
      expirySecs: over.expirySecs ?? 3_600,
      paymentHash: over.paymentHash ?? hash('sha256', randomBytes(32)),
      paymentSecret: randomBytes(32).toString('hex'),
      description: 'one coffee',
      minFinalCltvDelta: 18,
    },
    PAYEE_KEY,
  );
}

/** A script of faults for the simulated wallet, and how to change it. */
export function walletScript() {
  const path = join(temporaryFolder(), 'script.json');
  const misbehave = (...rules: object[]) => writeFileSync(path, JSON.stringify(rules));
  misbehave();
  return { path, misbehave };
}

export const agentPost = (
  vault: TestVault,
  agent: TestAgent,
  url: string,
  payload: object,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  call(vault, {
    method: 'POST',
    url,
    headers: { authorization: `Bearer ${agent.token}`, ...headers },
    payload: payload as Record<string, unknown>,
  });

/** Pays an address, unless said otherwise. */
export const pay = (
  vault: TestVault,
  agent: TestAgent,
  over: object = {},
  headers: Record<string, string> = {},
): Promise<Answer> =>
  agentPost(
    vault,
    agent,
    '/agents/me/pay',
    {
      amount_msat: 1_000,
      destination_type: 'lightning_address',
      destination: 'ann@pay.example',
      purpose: 'coffee',
      ...over,
    },
    headers,
  );

export const payInvoice = (
  vault: TestVault,
  agent: TestAgent,
  destination: string,
  over: object = {},
): Promise<Answer> =>
  pay(vault, agent, {
    amount_msat: undefined,
    destination_type: 'lightning_invoice',
    destination,
    ...over,
  });

/** How a receiver knows that it is us, and that it is now; the scheme is Stripe's. */
import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'x-arbstrvault-signature';

/**
 * `t=<Unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. The time is that of this try, so that a
 * receiver can refuse what is old; the body is the same at each.
 */
export function signatureOf(secret: string, body: string, nowMs: number): string {
  const t = Math.floor(nowMs / 1_000);
  const v1 = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
  return `t=${t},v1=${v1}`;
}

/**
 * A receiver of the vault's webhooks: checks each signature, prints each event once.
 *
 *   OPERATOR_WEBHOOK_SECRET=… PORT=4000 node examples/webhook-receiver.mjs
 *
 * and the vault with OPERATOR_WEBHOOK_URL=http://127.0.0.1:4000/ and the same secret.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** Older is refused: somebody may have kept a message to send it again. */
const AGE_SECS_MAX = 300;

/**
 * @param {Buffer} body the bytes as they came, before anything has parsed them
 * @param {string} header X-ArbstrVault-Signature
 * @param {number} nowSecs Unix time
 */
export function isFromVault(body, header, secret, nowSecs) {
  const [, t, v1] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  if (v1 === undefined || Math.abs(nowSecs - Number(t)) > AGE_SECS_MAX) return false;
  const expected = createHmac('sha256', secret).update(`${t}.`).update(body).digest();
  return timingSafeEqual(Buffer.from(v1, 'hex'), expected);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { OPERATOR_WEBHOOK_SECRET: secret, PORT = '4000' } = process.env;
  if (!secret) throw new Error('set OPERATOR_WEBHOOK_SECRET to what the vault has');
  // Delivered at least once: what was handled before is answered with 200 and left alone. A real
  // receiver keeps these ids where it keeps what it does about them.
  const handled = new Set();
  createServer(async (request, response) => {
    const body = await buffer(request);
    const signature = String(request.headers['x-arbstrvault-signature']);
    if (!isFromVault(body, signature, secret, Date.now() / 1000)) {
      response.writeHead(401).end();
      return;
    }
    const event = JSON.parse(body.toString());
    if (!handled.has(event.event_id)) process.stdout.write(`${body}\n`);
    handled.add(event.event_id);
    response.writeHead(200).end();
  }).listen(Number(PORT), '127.0.0.1');
}

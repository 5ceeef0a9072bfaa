import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TRIED_FOR_MS } from '../../src/notify/outbox.ts';
import { isDelivered, retryWaitMs } from '../../src/notify/retry.ts';
import { signatureOf } from '../../src/notify/signature.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../examples');
const { isFromVault } = (await import(join(EXAMPLES, 'webhook-receiver.mjs'))) as {
  isFromVault(body: Buffer, header: string, secret: string, nowSecs: number): boolean;
};

describe('a signature', () => {
  const SECRET = 'whsec_0123456789abcdef';
  const BODY = '{"event_id":"evt_1","text":"für 5 €"}';
  const AT_MS = 1_767_225_630_999;
  // printf '1767225630.{"event_id":"evt_1","text":"für 5 €"}' | openssl dgst -sha256 -hmac whsec_0123456789abcdef
  const HEADER = 't=1767225630,v1=c8afea824eb5eb142a295a82766247c7b3c6c5fa7475f8d2e6474c8411787cc1';

  test('is what OpenSSL makes of "t.body"', () => {
    expect(signatureOf(SECRET, BODY, AT_MS)).toBe(HEADER);
  });

  const NOW_SECS = 1_767_225_700;
  const cases: readonly (readonly [string, string, string, string, number, boolean])[] = [
    ['as it was made', BODY, HEADER, SECRET, NOW_SECS, true],
    ['of another body', `${BODY} `, HEADER, SECRET, NOW_SECS, false],
    ['of another secret', BODY, HEADER, `${SECRET}0`, NOW_SECS, false],
    ['of another time', BODY, HEADER.replace('630', '631'), SECRET, NOW_SECS, false],
    ['that is old', BODY, HEADER, SECRET, NOW_SECS + 300, false],
    ['from ahead', BODY, HEADER, SECRET, NOW_SECS - 400, false],
    ['that is none', BODY, 'unsigned', SECRET, NOW_SECS, false],
  ];

  test.each(cases)(
    '%s is judged by the Node receiver',
    (_what, body, header, secret, now, good) => {
      expect(isFromVault(Buffer.from(body), header, secret, now)).toBe(good);
    },
  );

  test('is judged alike by the Python receiver', () => {
    const code = [
      'import json, sys',
      'from webhook_receiver import is_from_vault',
      'cases = json.load(sys.stdin)',
      'print(json.dumps([is_from_vault(b.encode(), h, s, n) for _, b, h, s, n, _ in cases]))',
    ].join('\n');
    const { stdout, stderr } = spawnSync('python3', ['-c', code], {
      cwd: EXAMPLES,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: '.' },
      input: JSON.stringify(cases),
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(cases.map((row) => row[5]));
  });
});

describe('the wait for the next try', () => {
  test('is 1 s, doubles, and ends at 4 h', () => {
    const waits = Array.from({ length: 20 }, (_, n) => retryWaitMs(n + 1, 0) / 1_000);
    expect(waits.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
    expect(waits.slice(13)).toEqual([8_192, ...Array(6).fill(14_400)]);
    expect(retryWaitMs(1_000_000, 0)).toBe(14_400_000);
  });

  test('is up to a quarter longer, by chance', () => {
    expect([retryWaitMs(1, 0.5), retryWaitMs(1, 0.999)]).toEqual([1_125, 1_249]);
    expect(retryWaitMs(99, 0.999)).toBeLessThan(18_000_000);
  });

  test('gives a receiver some thirty tries in 72 h', () => {
    let tries = 0;
    for (let ms = 0; ms <= TRIED_FOR_MS; ms += retryWaitMs(tries, 0)) tries++;
    expect(tries).toBe(31);
  });
});

test.each([
  [200, true],
  [204, true],
  [299, true],
  [199, false],
  [301, false],
  [404, false],
  [410, false],
  [500, false],
])('%i counts as delivered: %s', (status, delivered) => {
  expect(isDelivered(status)).toBe(delivered);
});

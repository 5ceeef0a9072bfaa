import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conversationOf, MESSAGES_READ, PARTS_READ } from '../../src/complexity/conversation.ts';
import { SAMPLE_CHARS, scan } from '../../src/complexity/scan.ts';
import { CALIBRATED, scoreComplexity } from '../../src/complexity/score.ts';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';

type Message = Record<string, unknown>;

function request(messages: string | Message[], more: Record<string, unknown> = {}): ApiRequest {
  const list = typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages;
  const parsed = parseChatRequest(
    Buffer.from(JSON.stringify({ model: 'm', messages: list, ...more })),
  );
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

const score = (text: string | Message[], more = {}): number => scoreComplexity(request(text, more));

describe('the complexity score', () => {
  it('is between 0 and 1 and the same each time, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 4_000 }), (text) => {
        const first = score(text);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(first).toBeLessThanOrEqual(1);
        expect(score(text)).toBe(first);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['English', 'hi', 'Prove that every bounded monotone sequence converges.'],
    ['German', 'Hallo!', 'Beweise, dass jede beschränkte monotone Folge konvergiert.'],
    ['French', 'Bonjour !', 'Démontre que toute suite monotone bornée converge.'],
    ['Spanish', '¡Hola!', 'Demuestra que toda sucesión monótona acotada converge.'],
    ['Portuguese', 'Olá!', 'Demonstre que toda sequência monótona limitada converge.'],
    [
      'Russian',
      'Привет!',
      'Докажи, что всякая ограниченная монотонная последовательность сходится.',
    ],
    ['Chinese', '你好！', '证明每个有界单调序列都收敛，并给出详细步骤。'],
    ['Japanese', 'こんにちは', '有界な単調数列が収束することを証明してください。'],
  ])('parts a greeting from a proof in %s', (_, greeting, proof) => {
    expect(score(greeting)).toBeLessThan(CALIBRATED.thresholdLow);
    expect(score(proof)).toBeGreaterThan(CALIBRATED.thresholdLow);
    expect(score(proof)).toBeGreaterThan(score(greeting) + 0.2);
  });

  it('uses all three tiers', () => {
    expect(score('Thanks, bye!')).toBeLessThan(CALIBRATED.thresholdLow);
    const ordinary = score('Explain how a heat pump works.');
    expect(ordinary).toBeGreaterThan(CALIBRATED.thresholdLow);
    expect(ordinary).toBeLessThan(CALIBRATED.thresholdHigh);
    expect(score('Prove that there are infinitely many primes.')).toBeGreaterThan(
      CALIBRATED.thresholdHigh,
    );
  });

  it('rises with tools, images, depth and asked effort, and falls with a tiny output', () => {
    const text = 'Explain how a heat pump works.';
    const plain = score(text);
    expect(score(text, { tools: [{ type: 'function' }] })).toBeGreaterThan(plain);
    expect(score(text, { reasoning_effort: 'high' })).toBeGreaterThan(plain);
    expect(score(text, { reasoning_effort: 'low' })).toBeLessThan(plain);
    expect(score(text, { max_tokens: 5 })).toBeLessThan(plain);
    const image = { type: 'image_url', image_url: { url: 'data:,' } };
    const seen = [{ role: 'user', content: [{ type: 'text', text }, image] }];
    expect(score(seen)).toBeGreaterThan(plain);
    const turns = Array.from({ length: 20 }, () => ({ role: 'assistant', content: 'Yes.' }));
    expect(score([...turns, { role: 'user', content: text }])).toBeGreaterThan(plain);
  });

  it('lets a short turn inherit from a hard one before it, and a long one stand for itself', () => {
    const proof = { role: 'user', content: 'Prove that there are infinitely many primes.' };
    const answer = { role: 'assistant', content: 'Assume that there are finitely many.' };
    const after = (content: string) => score([proof, answer, { role: 'user', content }]);
    expect(after('go on')).toBeGreaterThan(score('go on') + 0.1);
    expect(after('go on')).toBeLessThan(score('Prove that there are infinitely many primes.'));
  });

  it('weighs a group of features as the operator says', () => {
    const weights = { ...CALIBRATED.weights, tools: 0 };
    const withTools = request('hi', { tools: [{ type: 'function' }] });
    expect(scoreComplexity(withTools, weights)).toBe(scoreComplexity(request('hi'), weights));
  });
});

describe('the work of scoring', () => {
  it('does not grow with the text: 20 MB are read by their two ends', () => {
    const text = `Prove it. ${'word '.repeat(4_000_000)}`;
    const tally = scan(text);
    expect(tally.words).toBeLessThanOrEqual(SAMPLE_CHARS);
    expect(tally.buckets.length).toBeLessThanOrEqual(2 * SAMPLE_CHARS + 2);
    expect(score(text)).toBeLessThanOrEqual(1);
  });

  it('visits the last messages of 100,000, and no more', () => {
    let read = 0;
    const message = {
      get role() {
        read++;
        return 'user';
      },
      content: 'hi',
    };
    const messages = Array.from({ length: 100_000 }, () => message);
    expect(conversationOf(messages).messages).toBe(100_000);
    expect(read).toBe(MESSAGES_READ);
  });

  it('reads the first and last of many parts, and takes odd ones for empty', () => {
    let read = 0;
    const part = {
      get text() {
        read++;
        return 'x';
      },
    };
    const content = [null, 7, ['nested'], ...Array.from({ length: 10_000 }, () => part)];
    expect(conversationOf([{ role: 'user', content }]).turn).toContain('x');
    expect(read).toBeLessThanOrEqual(2 * PARTS_READ);
  });

  it('survives lone surrogates and texts of one symbol', () => {
    expect(scan('\ud800\udfff\ud83d'.repeat(1_000)).words).toBe(0);
    expect(score([{ role: 'user', content: '\ud800 hi' }])).toBeLessThanOrEqual(1);
    expect(score('?'.repeat(100_000))).toBeGreaterThanOrEqual(0);
    expect(score([{ role: 'user', content: '' }])).toBeLessThanOrEqual(1);
    expect(score([{ role: 'assistant', content: null }])).toBeLessThanOrEqual(1);
  });
});

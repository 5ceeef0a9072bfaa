import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { MockFault } from '../../../src/config/types.ts';
import type { MockProvider } from '../../../src/upstream/mock/server.ts';
import {
  chatBody,
  chunks,
  contentOf,
  failure,
  payloads,
  type Received,
  send,
  start,
  type Usage,
} from './client.ts';

const ANSWER = 'one two three four five six';
const STREAM = { stream: true };
const USAGE = { stream: true, stream_options: { include_usage: true } };
/** What a test waits for something that must not come. */
const PATIENCE_MS = 300;

const withFaults = (...faults: MockFault[]): Promise<MockProvider> =>
  start({ answer: ANSWER, faults });

async function receive(fault: MockFault, fields: object, options = {}): Promise<Received> {
  return send(await withFaults(fault), chatBody(fields), options);
}

const usageOf = (text: string): Usage => (JSON.parse(text) as { usage: Usage }).usage;

describe('faults before the answer', () => {
  it('answers any status, with its body and retry-after', async () => {
    const fault: MockFault = { kind: 'status', status: 429, retryAfterSecs: 7, body: null };
    const { status, headers, text } = await receive(fault, STREAM);
    expect([status, headers['retry-after']]).toEqual([429, '7']);
    expect(JSON.parse(text)).toMatchObject({ error: { type: 'rate_limit_error', code: null } });
    const own = await receive({ ...fault, status: 503, body: 'plain', retryAfterSecs: null }, {});
    expect([own.status, own.text, own.headers['retry-after']]).toEqual([503, 'plain', undefined]);
  });

  it('resets the connection', async () => {
    const error = await failure(receive({ kind: 'reset' }, STREAM));
    expect(error.code).toMatch(/ECONNRESET|UND_ERR_SOCKET/);
  });

  it.each<MockFault>([{ kind: 'hang_before_headers' }, { kind: 'drip_headers', intervalMs: 5 }])(
    'never gets as far as headers: $kind',
    async (fault) => {
      const provider = await withFaults(fault);
      const signal = AbortSignal.timeout(PATIENCE_MS);
      expect((await failure(send(provider, chatBody(STREAM), { signal }))).name).toBe(
        'TimeoutError',
      );
      expect(await provider.calls[0]?.ended).toBe('client_gone');
    },
  );

  it('drips header after header', async () => {
    const provider = await withFaults({ kind: 'drip_headers', intervalMs: 2 });
    const body = JSON.stringify(chatBody());
    const socket = connect(Number(new URL(provider.url).port), '127.0.0.1');
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    let seen = '';
    for await (const bytes of socket) {
      seen += String(bytes);
      if (seen.includes('x-drip-5')) break;
    }
    expect(seen).toMatch(/^HTTP\/1\.1 200 OK\r\nx-drip-1: a\r\nx-drip-2: a\r\n/);
    expect(seen).not.toContain('\r\n\r\n');
  });

  it.each([STREAM, {}])('hangs after the headers: %j', async (fields) => {
    const provider = await withFaults({ kind: 'hang_after_headers' });
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { status, bytes, broken } = await send(provider, chatBody(fields), { signal });
    expect([status, bytes.length]).toEqual([200, 0]);
    expect(broken).toMatch(/TimeoutError/);
    expect(await provider.calls[0]?.ended).toBe('client_gone');
  });

  it.each([STREAM, {}])('hides an error in a 200: %j', async (fields) => {
    const { status, headers, text } = await receive({ kind: 'error_in_200' }, fields);
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(JSON.parse(text)).toMatchObject({ error: { type: 'server_error' } });
  });

  it('answers HTML', async () => {
    const { status, headers, text } = await receive({ kind: 'html_200' }, STREAM);
    expect([status, headers['content-type']]).toEqual([200, 'text/html']);
    expect(text).toMatch(/^<!doctype html>/);
  });

  it.each([
    [STREAM, 'text/event-stream'],
    [{}, 'application/json'],
  ])('answers nothing: %j', async (fields, type) => {
    const { status, headers, bytes, broken } = await receive({ kind: 'empty_body' }, fields);
    expect([status, headers['content-type'], bytes.length, broken]).toEqual([200, type, 0, null]);
  });

  it('refuses stream_options by name, and only those', async () => {
    const fault: MockFault = { kind: 'reject_stream_options' };
    const refused = await receive(fault, USAGE);
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.text)).toMatchObject({ error: { param: 'stream_options' } });
    expect((await receive(fault, STREAM)).status).toBe(200);
  });
});

describe('faults in the middle of a stream', () => {
  it.each([0, 1, 4])('dies after %i chunks', async (afterChunks) => {
    const { text, broken } = await receive({ kind: 'die_mid_stream', afterChunks }, STREAM);
    expect(broken).not.toBeNull();
    expect(payloads(text)).toHaveLength(afterChunks);
  });

  it('ends cleanly, but too early', async () => {
    const { text, broken } = await receive({ kind: 'end_mid_stream', afterChunks: 3 }, STREAM);
    expect(broken).toBeNull();
    expect(payloads(text)).toHaveLength(3);
  });

  it('stalls', async () => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const fault: MockFault = { kind: 'stall_mid_stream', afterChunks: 3 };
    const { text, broken } = await receive(fault, STREAM, { signal });
    expect(broken).toMatch(/TimeoutError/);
    expect(payloads(text)).toHaveLength(3);
  });

  it('sends an error event and nothing after it', async () => {
    const { text, broken } = await receive({ kind: 'error_mid_stream', afterChunks: 3 }, STREAM);
    const all = payloads(text);
    expect([all.length, broken]).toEqual([4, null]);
    expect(JSON.parse(all[3]!)).toMatchObject({ error: { type: 'server_error' } });
  });

  it('sends an error as its first frame', async () => {
    const { status, text } = await receive({ kind: 'error_first_frame' }, STREAM);
    expect(status).toBe(200);
    expect(payloads(text)).toHaveLength(1);
    expect(JSON.parse(payloads(text)[0]!)).toHaveProperty('error.message');
  });

  it('sends an event that is not JSON and goes on', async () => {
    const { text } = await receive({ kind: 'invalid_json_event', afterChunks: 2 }, STREAM);
    const all = payloads(text);
    expect(() => JSON.parse(all[2]!)).toThrow();
    expect(() => JSON.parse(all[3]!)).not.toThrow();
    expect(all.at(-1)).toBe('[DONE]');
  });

  it('takes a count beyond the answer as its last moment', async () => {
    const { text } = await receive({ kind: 'end_mid_stream', afterChunks: 999 }, STREAM);
    expect(contentOf(chunks(text))).toBe(ANSWER);
    expect(payloads(text)).not.toContain('[DONE]');
  });

  it('never ends one line, and stops when its client leaves', async () => {
    const provider = await withFaults({ kind: 'huge_line' });
    const enough = (bytes: number) => bytes > 4 * 1024 * 1024;
    const { bytes } = await send(provider, chatBody(STREAM), { enough });
    expect(bytes.subarray(0, 12).toString()).toBe('data: {"id":');
    expect(bytes.includes('\n')).toBe(false);
    expect(await provider.calls[0]?.ended).toBe('client_gone');
  });

  it('says the length of the whole and sends half', async () => {
    const { headers, bytes, broken } = await receive({ kind: 'truncated_body' }, STREAM);
    expect(broken).not.toBeNull();
    expect(bytes.length).toBe(Math.ceil(Number(headers['content-length']) / 2));
  });
});

describe('dialects of a stream', () => {
  it('forgets [DONE]', async () => {
    const { text, broken } = await receive({ kind: 'no_done' }, USAGE);
    expect(broken).toBeNull();
    expect(payloads(text)).not.toContain('[DONE]');
    expect(chunks(text).at(-1)?.usage).not.toBeNull();
  });

  it('never says its usage', async () => {
    const { text } = await receive({ kind: 'no_usage' }, USAGE);
    expect(chunks(text).some(({ usage }) => usage)).toBe(false);
    expect(usageOf((await receive({ kind: 'no_usage' }, {})).text)).toBeUndefined();
  });

  it('claims more usage than there was', async () => {
    const honest = chunks((await send(await withFaults(), chatBody(USAGE))).text).at(-1)?.usage;
    const { text } = await receive({ kind: 'inflate_usage', factor: 1000 }, USAGE);
    expect(chunks(text).at(-1)?.usage).toMatchObject({
      prompt_tokens: honest!.prompt_tokens * 1000,
      completion_tokens: honest!.completion_tokens * 1000,
    });
  });

  it('says its usage so far in every chunk', async () => {
    const { text } = await receive({ kind: 'usage_every_chunk' }, STREAM);
    const counts = chunks(text).map(({ usage }) => usage?.completion_tokens ?? -1);
    expect(counts.length).toBeGreaterThan(5);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[0]).toBeGreaterThanOrEqual(0);
    expect(chunks(text).every(({ choices }) => choices.length > 0)).toBe(true);
  });

  it('frames with CRLF', async () => {
    const { text } = await receive({ kind: 'crlf' }, STREAM);
    expect(text.match(/(?<!\r)\n/)).toBeNull();
    expect(contentOf(chunks(text))).toBe(ANSWER);
  });

  it('puts comments between its events', async () => {
    const { text } = await receive({ kind: 'comments' }, STREAM);
    expect(text.startsWith(': OPENROUTER PROCESSING\n\ndata: ')).toBe(true);
    expect(text.split(': OPENROUTER PROCESSING').length - 1).toBe(payloads(text).length);
    expect(contentOf(chunks(text))).toBe(ANSWER);
  });

  it('writes a few bytes at a time, through the middle of characters', async () => {
    const provider = await start({ answer: 'añ€🦀 ñ', faults: [{ kind: 'split_writes' }] });
    const { text, reads } = await send(provider, chatBody(STREAM));
    expect(contentOf(chunks(text))).toBe('añ€🦀 ñ');
    expect(reads.length).toBeGreaterThan(payloads(text).length);
    expect(provider.calls[0]?.chunksSent).toBe(payloads(text).length);
  });

  it('is slow with its first token, and with its usage', async () => {
    const delayMs = 250;
    const first = await receive({ kind: 'slow_first_token', delayMs }, STREAM);
    expect(first.times[0]).toBeGreaterThan(delayMs * 0.8);
    for (const fields of [STREAM, USAGE]) {
      const { reads, times } = await receive({ kind: 'slow_usage', delayMs }, fields);
      const prompt = reads.filter((_, nth) => times[nth]! < delayMs * 0.8);
      expect(Buffer.concat(prompt).toString()).toContain('"finish_reason":"stop"');
      expect(Buffer.concat(prompt).toString()).not.toContain('[DONE]');
      expect(times.at(-1)! - times[0]!).toBeGreaterThan(delayMs * 0.8);
    }
  });

  it('combines faults', async () => {
    const provider = await withFaults({ kind: 'crlf' }, { kind: 'comments' }, { kind: 'no_done' });
    const { text } = await send(provider, chatBody(STREAM));
    expect(text.startsWith(': OPENROUTER PROCESSING\r\n\r\n')).toBe(true);
    expect(text).not.toContain('[DONE]');
  });
});

describe('the same faults where nothing is streamed', () => {
  it.each<MockFault>([
    { kind: 'die_mid_stream', afterChunks: 1 },
    { kind: 'truncated_body' },
    { kind: 'stall_mid_stream', afterChunks: 1 },
  ])('breaks the body in two: $kind', async (fault) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { headers, bytes, broken } = await receive(fault, {}, { signal });
    expect(broken).not.toBeNull();
    expect(bytes.length).toBe(Math.ceil(Number(headers['content-length']) / 2));
  });

  it.each<MockFault>([
    { kind: 'end_mid_stream', afterChunks: 1 },
    { kind: 'invalid_json_event', afterChunks: 1 },
  ])('is not JSON: $kind', async (fault) => {
    const { text, broken } = await receive(fault, {});
    expect(broken).toBeNull();
    expect(() => JSON.parse(text)).toThrow();
  });

  it.each<MockFault>([{ kind: 'error_mid_stream', afterChunks: 1 }, { kind: 'error_first_frame' }])(
    'is an error in a 200: $kind',
    async (fault) => {
      expect(JSON.parse((await receive(fault, {})).text)).toHaveProperty('error.message');
    },
  );

  it('claims more usage than there was', async () => {
    const honest = usageOf((await send(await withFaults(), chatBody())).text);
    const claimed = usageOf((await receive({ kind: 'inflate_usage', factor: 3 }, {})).text);
    expect(claimed.completion_tokens).toBe(honest.completion_tokens * 3);
  });

  it('keeps the connection warm with white space', async () => {
    const { text } = await receive({ kind: 'comments' }, {});
    expect(text.startsWith('\n')).toBe(true);
    expect(usageOf(text).completion_tokens).toBeGreaterThan(0);
  });
});

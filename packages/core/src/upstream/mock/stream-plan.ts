/** The steps of a streamed answer, with the faults that happen on the way. */
import type { MockFault } from '../../config/types.ts';
import type { MockBehaviour } from './behaviour.ts';
import type { Step } from './step.ts';
import { type Envelope, errorBody, type MockEndpoint, type StreamEvent } from './wire.ts';

/** Sizes of the pieces that `split_writes` cuts bytes into, over and over. */
const SPLITS = [1, 2, 3, 5, 7];

export function planStream(
  endpoint: MockEndpoint,
  envelope: Envelope,
  behaviour: MockBehaviour,
  headers: Readonly<Record<string, string>>,
): Step[] {
  const { faults, chunkDelayMs } = behaviour;
  const has = (kind: MockFault['kind']): boolean => faults.some((fault) => fault.kind === kind);
  const { prompt, cached } = envelope.answer.usage;
  const usageSoFar = (completion: number): object =>
    endpoint.usage({ prompt, completion, reasoning: 0, cached });
  const events = endpoint
    .events(envelope, has('usage_every_chunk') ? usageSoFar : null)
    .filter(({ kind }) => kind !== 'done' || !has('no_done'));
  const newline = has('crlf') ? '\r\n' : '\n';
  const head: Step = {
    do: 'head',
    status: 200,
    headers: {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
    },
  };
  const comment: Step[] = has('comments')
    ? [{ do: 'write', data: `: OPENROUTER PROCESSING${newline}${newline}` }]
    : [];
  const body: Step[] = [];
  for (const [nth, event] of events.entries()) {
    if (nth > 0 && chunkDelayMs > 0) body.push({ do: 'wait', ms: chunkDelayMs });
    const { steps, over } = beforeEvent(faults, events, nth, newline);
    body.push(...steps);
    if (over) break;
    body.push(...comment, dataEvent(event.data, newline, event.event));
  }
  return finish(head, body, faults);
}

const frame = (data: string, newline: string, event: string | undefined): string =>
  `${event === undefined ? '' : `event: ${event}${newline}`}data: ${data}${newline}${newline}`;

/** What goes wrong before the nth event, and whether the answer is over then. */
function beforeEvent(
  faults: readonly MockFault[],
  events: readonly StreamEvent[],
  nth: number,
  newline: string,
): { steps: Step[]; over: boolean } {
  const steps: Step[] = [];
  const afterDeltas = events.findIndex(({ kind }) => kind !== 'delta');
  for (const fault of faults) {
    const slow =
      (fault.kind === 'slow_first_token' && nth === 0) ||
      (fault.kind === 'slow_usage' && nth === afterDeltas);
    if (slow) steps.push({ do: 'wait', ms: fault.delayMs });
    if (fault.kind === 'error_first_frame' && nth === 0) {
      steps.push(errorEvent('The mock failed in its first frame.', newline));
      return { steps, over: true };
    }
    // Counts beyond the answer mean: before its last event.
    if (!('afterChunks' in fault) || nth !== Math.min(fault.afterChunks, events.length - 1))
      continue;
    const midway = midStream(fault.kind, newline);
    steps.push(...midway.steps);
    if (midway.over) return { steps, over: true };
  }
  return { steps, over: false };
}

type MidStreamFault = Extract<MockFault, { afterChunks: number }>['kind'];

function midStream(kind: MidStreamFault, newline: string): { steps: Step[]; over: boolean } {
  switch (kind) {
    case 'die_mid_stream':
      return { steps: [{ do: 'cut', how: 'rst' }], over: true };
    case 'end_mid_stream':
      return { steps: [], over: true };
    case 'stall_mid_stream':
      return { steps: [{ do: 'stall' }], over: true };
    case 'error_mid_stream':
      return { steps: [errorEvent('The mock failed in mid-stream.', newline)], over: true };
    case 'invalid_json_event':
      return { steps: [dataEvent('{"choices":[{"delta"', newline)], over: false };
  }
}

const dataEvent = (data: string, newline: string, event?: string): Step => ({
  do: 'write',
  data: frame(data, newline, event),
  events: 1,
});

const errorEvent = (message: string, newline: string): Step =>
  dataEvent(errorBody(500, message, 'server_error'), newline);

/** Faults of the body as a whole. */
function finish(head: Step & { do: 'head' }, body: Step[], faults: readonly MockFault[]): Step[] {
  let steps = body;
  let headers = head.headers;
  for (const { kind } of faults) {
    if (kind === 'truncated_body') {
      const bytes = Buffer.concat(
        steps.flatMap((s) => (s.do === 'write' ? [Buffer.from(s.data)] : [])),
      );
      headers = { ...headers, 'content-length': String(bytes.length) };
      const half = bytes.subarray(0, Math.ceil(bytes.length / 2));
      steps = [
        { do: 'write', data: half },
        { do: 'cut', how: 'fin' },
      ];
    }
    if (kind === 'split_writes') steps = steps.flatMap(split);
  }
  return [{ ...head, headers }, ...steps];
}

function split(step: Step): Step[] {
  if (step.do !== 'write') return [step];
  const bytes = Buffer.from(step.data);
  const pieces: Step[] = [];
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const size = SPLITS[nth % SPLITS.length]!;
    const data = bytes.subarray(at, at + size);
    at += size;
    // The pause puts each piece into a packet of its own.
    pieces.push({ do: 'write', data, events: at >= bytes.length ? (step.events ?? 0) : 0 });
    pieces.push({ do: 'wait', ms: 0 });
  }
  return pieces;
}

/**
 * Request and behaviour → the steps of the answer. Pure: what a fault does to an answer is decided
 * here, and `play.ts` only does as it is told.
 */
import type { MockFault } from '../../config/types.ts';
import { composeAnswer } from './answer.ts';
import type { MockBehaviour } from './behaviour.ts';
import { isRefusal, type MockRequest } from './request.ts';
import type { Step } from './step.ts';
import { planStream } from './stream-plan.ts';
import { type Envelope, errorBody, type MockEndpoint } from './wire.ts';

export interface PlanInput {
  readonly endpoint: MockEndpoint;
  /** The parsed body; undefined where it is not JSON. */
  readonly json: unknown;
  /** `faults` only where this request is to have them. */
  readonly behaviour: MockBehaviour;
  readonly id: string;
  readonly createdSecs: number;
  /** Models that are served; null = any. */
  readonly models: readonly string[] | null;
  /** On every answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes that a flood repeats. */
const FLOOD = Buffer.alloc(64 * 1024, 'a');

export function planAnswer(input: PlanInput): Step[] {
  const { behaviour, headers } = input;
  if (behaviour.steps !== null) return [...behaviour.steps];
  const latency: Step[] = behaviour.latencyMs > 0 ? [{ do: 'wait', ms: behaviour.latencyMs }] : [];
  const request = input.endpoint.read(input.json);
  if (isRefusal(request)) {
    const { status, message, code, param } = request;
    return [...latency, ...whole(status, errorBody(status, message, code, param), headers)];
  }
  if (input.models !== null && !input.models.includes(request.model)) {
    const message = `The model '${request.model}' does not exist or you do not have access to it.`;
    const body = errorBody(404, message, 'model_not_found', 'model');
    return [...latency, ...whole(404, body, headers)];
  }
  for (const fault of behaviour.faults) {
    const instead = insteadOfAnswer(fault, request, headers);
    if (instead !== null) return [...latency, ...instead];
  }
  const envelope = compose(request, input);
  const answer = request.streaming
    ? planStream(input.endpoint, envelope, behaviour, headers)
    : planWhole(input.endpoint.whole(envelope), behaviour, headers);
  return [...latency, ...answer];
}

function compose(
  request: MockRequest,
  { endpoint, behaviour, id, createdSecs }: PlanInput,
): Envelope {
  const answer = composeAnswer(request, behaviour);
  let usage: object | null = behaviour.usage ?? endpoint.usage(answer.usage);
  for (const fault of behaviour.faults) {
    if (fault.kind === 'no_usage') usage = null;
    if (fault.kind === 'inflate_usage') {
      const { prompt, completion, ...rest } = answer.usage;
      usage = endpoint.usage({
        ...rest,
        prompt: Math.round(prompt * fault.factor),
        completion: Math.round(completion * fault.factor),
      });
    }
  }
  return { id, createdSecs, request, answer, usage };
}

/** A complete body of known length. */
export function whole(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
  type = 'application/json',
): Step[] {
  const length = String(Buffer.byteLength(body));
  return [
    { do: 'head', status, headers: { ...headers, 'content-type': type, 'content-length': length } },
    { do: 'write', data: body },
  ];
}

/** Faults that leave nothing of the answer; null for the others. */
function insteadOfAnswer(
  fault: MockFault,
  request: MockRequest,
  headers: Readonly<Record<string, string>>,
): Step[] | null {
  const type = request.streaming ? 'text/event-stream' : 'application/json';
  const head: Step = { do: 'head', status: 200, headers: { ...headers, 'content-type': type } };
  switch (fault.kind) {
    case 'status': {
      const { status, retryAfterSecs, body } = fault;
      const retry = retryAfterSecs === null ? {} : { 'retry-after': String(retryAfterSecs) };
      const text = body ?? errorBody(status, `The mock was told to answer ${status}.`);
      return whole(status, text, { ...headers, ...retry });
    }
    case 'reset':
      return [{ do: 'cut', how: 'rst' }];
    case 'hang_before_headers':
      return [{ do: 'stall' }];
    case 'hang_after_headers':
      return [head, { do: 'stall' }];
    case 'drip_headers':
      return [{ do: 'drip', intervalMs: fault.intervalMs }];
    case 'error_in_200':
      return whole(200, errorBody(500, 'The mock failed inside a 200.', 'server_error'), headers);
    case 'html_200':
      return whole(200, '<!doctype html><title>Sign in</title>', headers, 'text/html');
    case 'huge_line': {
      const start = `${request.streaming ? 'data: ' : ''}{"id":"`;
      return [head, { do: 'write', data: start }, { do: 'flood', data: FLOOD }];
    }
    case 'empty_body':
      return whole(200, '', headers, type);
    case 'reject_stream_options': {
      if (!request.hasStreamOptions) return null;
      const message = 'Unrecognized request argument supplied: stream_options';
      return whole(400, errorBody(400, message, null, 'stream_options'), headers);
    }
    default:
      return null;
  }
}

/** What the faults of a stream are to an answer in one piece. */
function planWhole(
  body: string,
  { faults }: MockBehaviour,
  headers: Readonly<Record<string, string>>,
): Step[] {
  let steps = whole(200, body, headers);
  const half = (): Step[] => {
    const [head, write] = steps as [Step, Step & { do: 'write' }];
    const bytes = Buffer.from(write.data);
    return [head, { do: 'write', data: bytes.subarray(0, Math.ceil(bytes.length / 2)) }];
  };
  for (const fault of faults) {
    switch (fault.kind) {
      case 'die_mid_stream':
        steps = [...half(), { do: 'cut', how: 'rst' }];
        break;
      case 'truncated_body':
        steps = [...half(), { do: 'cut', how: 'fin' }];
        break;
      case 'stall_mid_stream':
        steps = [...half(), { do: 'stall' }];
        break;
      case 'end_mid_stream':
      case 'invalid_json_event':
        steps = whole(200, body.slice(0, -20), headers);
        break;
      case 'error_mid_stream':
      case 'error_first_frame':
        steps = whole(200, errorBody(500, 'The mock failed.', 'server_error'), headers);
        break;
      case 'slow_first_token':
      case 'slow_usage':
        steps = [{ do: 'wait', ms: fault.delayMs }, ...steps];
        break;
      case 'comments':
        // What OpenRouter's keep-alive is to an answer that is not streamed.
        steps = whole(200, `\n         \n${body}`, headers);
        break;
      default:
    }
  }
  return steps;
}

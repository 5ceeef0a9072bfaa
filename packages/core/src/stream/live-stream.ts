/** A stream that has begun, as it is handed from the attempt to whoever passes it on. */
import type { UpstreamBody } from '../ports.ts';
import type { Meter } from './meter.ts';
import type { SseEvent, SseSplitter } from './sse.ts';

/** Its first events have been read and judged, but not yet sent to anybody. */
export interface LiveStream {
  readonly first: readonly SseEvent[];
  readonly splitter: SseSplitter;
  readonly body: UpstreamBody;
  readonly abort: Abort;
  /** Whoever reads the stream, once more or for the first time, meters it from its beginning. */
  readonly newMeter: () => Meter;
}

/** Who ended an attempt early. The first reason stays. */
export interface Abort {
  readonly signal: AbortSignal;
  readonly reason: 'timeout' | 'abandoned' | null;
  fire(reason: 'timeout' | 'abandoned'): void;
  /** Restarts the timer that runs while bytes are awaited; 0 stops it. */
  within(ms: number): void;
  /** Stops every timer and listener. */
  done(): void;
}

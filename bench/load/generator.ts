/**
 * The load generator, seen from the harness. It is our own because a pair of requests with an id of
 * its own, whole streams, and latencies below a millisecond are what is measured here, and because
 * it must cost little beside the servers with which it shares a core: raw sockets, no HTTP client.
 */
import { type Child, messageOf, startChild } from '../child.ts';
import { OTHER_CORE } from '../machine.ts';
import type { Findings, Job, Reply } from './job.ts';

export interface Generator {
  /** Throws where an answer was not 200. */
  run(job: Job): Promise<Findings>;
}

const REPLY_MS = 15_000;

export function startGenerator(folder: string): Generator & { readonly child: Child } {
  const child = startChild({
    name: 'load',
    script: 'bench/load/main.ts',
    core: OTHER_CORE,
    folder,
  });
  return {
    child,
    async run(job) {
      child.process.send(job);
      const timeoutMs = job.warmMs + job.measureMs + REPLY_MS;
      const reply = await messageOf<Reply>(child, timeoutMs);
      if (reply.kind === 'failed') throw new Error(`load on port ${job.port}: ${reply.message}`);
      return reply.findings;
    },
  };
}

/** The load generator's process: takes one job after the other from its parent. */
import type { Job, Reply } from './job.ts';
import { runJob } from './run-job.ts';

process.channel!.ref();
process.on('message', async (job: Job) => {
  let reply: Reply;
  try {
    reply = { kind: 'findings', findings: await runJob(job) };
  } catch (error) {
    reply = { kind: 'failed', message: (error as Error).message };
  }
  process.send!(reply);
});

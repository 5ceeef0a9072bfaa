/** Are the books as they were written: on their own, and against what was exported of them. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { logCheckpoint } from '../../audit/checkpoint/exporter.ts';
import {
  exportInWorker,
  type Unusable,
  type Verdict,
  verifyInWorker,
} from '../../audit/in-worker.ts';
import { refuse } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { CHECKPOINT_BYTES_MAX } from '../limits.ts';
import type { VaultParts } from '../parts.ts';
import { refusals } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const TEXT = 'text/plain';

const verdictAnswer = z.object({
  ok: z.boolean(),
  findings: z.array(z.string()),
  findings_total: z.int(),
  agents: z.int(),
  auditRows: z.int(),
  transfers: z.int(),
  reservations: z.int(),
});
const comparedAnswer = verdictAnswer.extend({
  checkpoint: z.object({
    at: z.int(),
    audit_rows: z.int(),
    /** Rows that a restore has left behind: they were not compared. */
    set_back_rows: z.int(),
  }),
});

const answerOf = ({ findings, total, counts }: Verdict) => ({
  ok: total === 0,
  findings: [...findings],
  findings_total: total,
  ...counts,
});

export async function operatorVerifyRoutes(app: App, parts: VaultParts): Promise<void> {
  const { config, log } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));
  app.addContentTypeParser(
    TEXT,
    { parseAs: 'string', bodyLimit: CHECKPOINT_BYTES_MAX },
    (_request, body, done) => done(null, body),
  );
  let verifying: Promise<Verdict | Unusable> | null = null;
  /** Checkpoints that come or go: one at a time, each is a thread and a file of any size. */
  let busy = false;

  /** With a folder that is gone afterwards; null where another call has one. */
  async function alone<T>(work: (path: string) => Promise<T>): Promise<T | null> {
    if (busy) return null;
    busy = true;
    let folder: string | null = null;
    try {
      folder = await mkdtemp(join(tmpdir(), 'arbstr-checkpoint-'));
      return await work(join(folder, 'checkpoint.txt'));
    } finally {
      busy = false;
      if (folder !== null) await rm(folder, { recursive: true, force: true });
    }
  }
  const overloaded = () => refuse('overloaded', 'another checkpoint is under way: try again later');

  app.get(
    '/operator/verify',
    {
      schema: {
        summary: 'Are books, audit chains and rows as they were written',
        description: 'Reads everything, beside the ledger: seconds on a long history.',
        tags: TAGS,
        security: SECURITY,
        response: { 200: verdictAnswer, ...refusals('unauthorized') },
      },
    },
    async (_request, reply) => {
      // Who asks while it runs gets the same answer: one reader of everything is enough.
      verifying ??= verifyInWorker(config).finally(() => {
        verifying = null;
      });
      return reply.send(answerOf((await verifying) as Verdict));
    },
  );

  app.post(
    '/operator/verify',
    {
      bodyLimit: CHECKPOINT_BYTES_MAX,
      schema: {
        summary: 'The same, and that everything is there that a checkpoint knows',
        description:
          'The body is a file that `GET /operator/audit/checkpoint` gave. A checkpoint that is not of this ledger, or was changed, is refused.',
        tags: TAGS,
        security: SECURITY,
        consumes: [TEXT],
        body: z.string(),
        response: {
          200: comparedAnswer,
          ...refusals('unauthorized', 'invalid_request', 'request_too_large', 'overloaded'),
        },
      },
    },
    async (request, reply) => {
      const verdict = await alone(async (path) => {
        await writeFile(path, request.body, 'latin1');
        return verifyInWorker(config, [path]);
      });
      if (verdict === null) return sendRefusal(reply, overloaded());
      if ('unusable' in verdict) {
        return sendRefusal(reply, refuse('invalid_request', verdict.unusable));
      }
      const { at, auditRows, setBackRows } = verdict.checkpoints[0]!;
      const checkpoint = { at, audit_rows: auditRows, set_back_rows: setBackRows };
      return reply.send({ ...answerOf(verdict), checkpoint });
    },
  );

  app.get(
    '/operator/audit/checkpoint',
    {
      schema: {
        summary: 'Where all audit chains stand now, signed, to be kept elsewhere',
        tags: TAGS,
        security: SECURITY,
        response: {
          200: { description: TEXT, content: { [TEXT]: { schema: z.string() } } },
          ...refusals('unauthorized', 'overloaded'),
        },
      },
    },
    async (_request, reply) => {
      const file = await alone(async (path) => {
        const outcome = await exportInWorker(config, path, null);
        if (outcome.did === 'write') logCheckpoint(log, outcome.summary, null);
        // It stays readable when the folder is gone, and goes with its last reader.
        return open(path);
      });
      if (file === null) return sendRefusal(reply, overloaded());
      reply.header('content-disposition', 'attachment; filename="checkpoint.txt"');
      return reply
        .type(`${TEXT}; charset=utf-8`)
        .send(file.createReadStream() as unknown as string);
    },
  );
}

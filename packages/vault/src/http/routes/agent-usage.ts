/** What an agent spent on what, and its history as a file. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { HistoryEntry } from '../../audit/history.ts';
import { isRefusal, refuse } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { agentByUrl } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import type { VaultParts } from '../parts.ts';
import { agentParams, rangeQuery, refusals } from '../schemas.ts';

const TAGS = ['agent'];
const SECURITY = [{ agent: [] }, { operator: [] }];
const DAY_MS = 86_400_000;
const RANGE_MS_DEFAULT = 30 * DAY_MS;
/** Audit rows behind one answer: some seconds of the thread that sums them up for everybody. */
const ROWS_MAX = 200_000;
const CSV_PAGE = 500;

const usageRow = z.object({
  key: z.string().nullable(),
  requests: z.int(),
  charged_msat: z.int(),
  tokens_in: z.int(),
  tokens_out: z.int(),
});

export async function agentUsageRoutes(app: App, parts: VaultParts): Promise<void> {
  const { books, history, time } = parts;
  const readable = agentByUrl(parts);

  app.get(
    '/agents/:id/usage',
    {
      schema: {
        summary: 'What was charged, by model, provider and day (UTC)',
        description: 'Without dates: the last 30 days.',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject(rangeQuery),
        response: {
          200: z.object({
            agent_id: z.string(),
            start_date: z.int(),
            end_date: z.int(),
            requests: z.int(),
            charged_msat: z.int(),
            by_model: z.array(usageRow),
            by_provider: z.array(usageRow),
            by_day: z.array(usageRow),
          }),
          ...refusals('invalid_token', 'insufficient_scope', 'rate_limited', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const endMs = request.query.end_date ?? time.now();
      const startMs = request.query.start_date ?? Math.max(0, endMs - RANGE_MS_DEFAULT);
      const range = history.range(agent.no, startMs, endMs);
      if (range.high - range.low >= ROWS_MAX) {
        return sendRefusal(
          reply,
          refuse(
            'invalid_request',
            `this range has more than ${ROWS_MAX} audit rows: narrow start_date and end_date`,
            { param: 'start_date' },
          ),
        );
      }
      const usage = await books.usage(agent.no, range);
      if (isRefusal(usage)) return sendRefusal(reply, usage);
      return reply.send({
        agent_id: agent.id,
        start_date: startMs,
        end_date: endMs,
        requests: usage.model.reduce((sum, { requests }) => sum + requests, 0),
        charged_msat: usage.model.reduce((sum, { charged_msat }) => sum + charged_msat, 0),
        by_model: usage.model,
        by_provider: usage.provider,
        by_day: usage.day,
      });
    },
  );

  app.get(
    '/agents/:id/history.csv',
    {
      schema: {
        summary: 'The history as CSV (RFC 4180), oldest first',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject(rangeQuery),
        response: {
          200: { description: 'text/csv', content: { 'text/csv': { schema: z.string() } } },
          ...refusals('invalid_token', 'insufficient_scope', 'rate_limited', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const { start_date: startMs, end_date: endMs = time.now() } = request.query;
      /** Page by page as it is read, so that a long history needs no memory. */
      function* lines(): Generator<string> {
        yield csvLine(COLUMNS);
        for (let after: number | null = null; ; ) {
          const page = history.page({
            agent,
            order: 'asc',
            after,
            limit: CSV_PAGE,
            startMs,
            endMs,
          });
          for (const entry of page.entries) yield csvLine(cellsOf(entry));
          if (page.next === null) return;
          after = page.next;
        }
      }
      reply.header('content-disposition', `attachment; filename="${agent.id}.csv"`);
      return reply
        .type('text/csv; charset=utf-8')
        .send(Readable.from(lines()) as unknown as string);
    },
  );
}

const COLUMNS = ['sequence', 'time', 'action', 'amount_msat', 'ref_id', 'correlation_id', 'hash'];

const cellsOf = (entry: HistoryEntry): (string | number | null)[] => [
  entry.sequence,
  new Date(entry.created_at).toISOString(),
  entry.action,
  entry.amount_msat,
  entry.ref_id,
  entry.correlation_id,
  entry.hash,
];

function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** Correlation ids are the caller's words: one that starts like a formula must not become one. */
function csvCell(cell: string | number | null): string {
  if (cell === null || typeof cell === 'number') return String(cell ?? '');
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

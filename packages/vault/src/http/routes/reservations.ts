/** Reservations as core asks for them: one by its id, or its own open ones after a start. */
import { idSchema, reservationListSchema, reservationSchema } from '@arbstr/shared';
import { z } from 'zod';
import { refuse } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { requireInternal } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { HOLDS_PAGE_MAX, PAGE_MAX } from '../limits.ts';
import { decodeCursor, limitSchema, pageBody, pageOf } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { refusals } from '../schemas.ts';

const TAGS = ['internal'];
const SECURITY = [{ internal: [] }];
const RESERVATION_ID = /^rsv_[0-9A-Z]{26}$/;

export async function reservationRoutes(app: App, parts: VaultParts): Promise<void> {
  const { reservations } = parts;
  app.addHook('onRequest', requireInternal(parts.config.internalToken));

  app.get(
    '/reservations/:id',
    {
      schema: {
        summary: 'State and amounts of a reservation',
        tags: TAGS,
        security: SECURITY,
        params: z.object({ id: idSchema('reservation') }),
        response: { 200: reservationSchema, ...refusals('unauthorized', 'not_found') },
      },
    },
    async (request, reply) => {
      const reservation = reservations.find(request.params.id);
      if (!reservation) return sendRefusal(reply, refuse('not_found', 'no such reservation'));
      return reply.send(reservation);
    },
  );

  app.get(
    '/reservations',
    {
      schema: {
        summary: 'Open holds, of one core or of all',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject({
          core_id: z.string().min(1).max(256).optional(),
          state: z.literal('held', { error: 'only held can be listed' }).default('held'),
          cursor: z.string().max(200).optional(),
          limit: limitSchema(HOLDS_PAGE_MAX, PAGE_MAX),
        }),
        response: { 200: reservationListSchema, ...refusals('unauthorized', 'invalid_cursor') },
      },
    },
    async (request, reply) => {
      const { core_id, cursor, limit } = request.query;
      const after = cursor === undefined ? '' : decodeCursor('holds', cursor, RESERVATION_ID);
      const found = reservations.openHolds(core_id ?? null, after, limit + 1);
      const page = pageOf('holds', found, limit, ({ reservation_id }) => reservation_id);
      return reply.send(pageBody('reservations', page));
    },
  );
}

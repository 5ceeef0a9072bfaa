import type { RouteOptions } from 'fastify';
import { z } from 'zod';
import type { App } from './app-type.ts';
import { noBody } from './schemas.ts';

const noQuery = z.strictObject({});
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** A route that describes no query or no body takes none: what it would ignore is a mistake. */
export function refuseTheUnknown(app: App): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    route.schema ??= {};
    route.schema.querystring ??= noQuery;
    const takesBody = [route.method].flat().some((method) => BODY_METHODS.has(method));
    if (takesBody) route.schema.body ??= noBody;
  });
}

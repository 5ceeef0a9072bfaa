import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { createCallerLimits } from '../../src/http/caller-limits.ts';
import { costRoute } from '../../src/http/cost.ts';
import type { Activity } from '../../src/http/gate.ts';

/** Two dry runs, one after the other. */
async function costsTwice(server: { rps?: number; concurrency?: number }, more: Partial<Activity>) {
  const activity = { open: 0, running: 0, bodyBytes: 0, draining: false, disbelieved: new Map() };
  const app = Fastify();
  app.decorateRequest('caller', null);
  app.decorateRequest('place', null);
  const { rps: rateLimitRps = 0, concurrency: maxConcurrencyPerCaller = 1 } = server;
  const gate = {
    activity: Object.assign(activity, more),
    bodyLimitBytes: 1_000,
    limits: createCallerLimits(
      () => ({ rateLimitRps, maxConcurrencyPerCaller }),
      () => 0,
    ),
  };
  costRoute(app, {
    ...gate,
    authenticator: null,
    authToken: () => null,
    nowMs: () => 0,
    dryRoute: () => {
      throw new Error('a body without messages is not routed');
    },
  });
  const ask = async () => (await app.inject({ method: 'POST', url: '/cost' })).statusCode;
  const answers = [await ask(), await ask()];
  await app.close();
  return { answers, activity };
}

it('counts a dry run like a request, and gives its place back', async () => {
  const { answers, activity } = await costsTwice({}, {});
  expect(answers).toEqual([400, 400]);
  expect(activity).toMatchObject({ open: 0, bodyBytes: 0 });
});

it('takes no more dry runs of a caller than requests', async () => {
  expect((await costsTwice({ rps: 1 }, {})).answers).toEqual([400, 429]);
  expect((await costsTwice({ concurrency: 0 }, {})).answers).toEqual([429, 429]);
});

it('reads no body of a dry run that the process has no room for', async () => {
  expect((await costsTwice({}, { bodyBytes: 2 ** 30 })).answers).toEqual([503, 503]);
  expect((await costsTwice({}, { open: 1_000 })).answers).toEqual([503, 503]);
});

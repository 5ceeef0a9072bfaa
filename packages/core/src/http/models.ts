import type { FastifyInstance } from 'fastify';
import type { Snapshot } from '../catalogue/snapshot.ts';
import { type ProviderConfig, TIERS, type Tier, type VirtualModel } from '../config/types.ts';
import { refuse } from '../errors.ts';
import type { Rates } from '../pricing/rate.ts';
import { sellersOf } from '../route/sellers.ts';
import { type AuthDeps, reader } from './authenticate.ts';
import { writeRefusal } from './hardening.ts';

export interface ModelsRouteDeps extends AuthDeps {
  readonly current: () => Snapshot;
  /** Unix seconds: when this configuration was loaded. */
  readonly createdSecs: number;
}

/** OpenAI's list and object, with an `arbstr` object that says who sells the model and for what. */
export function modelsRoute(app: FastifyInstance, deps: ModelsRouteDeps): void {
  let built: { snapshot: Snapshot; models: ReadonlyMap<string, object> } | null = null;
  /** Made once per snapshot: hundreds of models, and clients that ask before each request. */
  function models(): ReadonlyMap<string, object> {
    const snapshot = deps.current();
    if (built?.snapshot !== snapshot) {
      built = { snapshot, models: modelObjects(snapshot, deps.createdSecs) };
    }
    return built.models;
  }

  for (const url of ['/v1/models', '/models']) {
    app.get(url, async (request, reply) => {
      const caller = await reader(deps, request);
      return caller.kind === 'refused'
        ? writeRefusal(reply, caller)
        : { object: 'list', data: [...models().values()] };
    });
    // A model's name may have slashes in it.
    app.get<{ Params: { '*': string } }>(`${url}/*`, async (request, reply) => {
      const caller = await reader(deps, request);
      if (caller.kind === 'refused') return writeRefusal(reply, caller);
      const id = request.params['*'];
      return (
        models().get(id) ??
        writeRefusal(
          reply,
          refuse(
            'model_not_found',
            `No provider serves the model ${JSON.stringify(id.slice(0, 256))}. GET /v1/models lists what is served.`,
            { param: 'model' },
          ),
        )
      );
    });
  }
}

function modelObjects({ config, providers }: Snapshot, createdSecs: number): Map<string, object> {
  return new Map([
    ...virtualObjects(config.virtualModels, createdSecs),
    ...concreteObjects(providers, createdSecs),
  ]);
}

function virtualObjects(
  virtualModels: ReadonlyMap<string, VirtualModel>,
  createdSecs: number,
): [string, object][] {
  return [...virtualModels.values()].map(({ name, models }) => {
    const of = (tier: Tier) =>
      [...models].filter(([, its]) => its === tier).map(([model]) => model);
    const tiers = Object.fromEntries(TIERS.map((tier) => [tier, of(tier)]));
    const arbstr = { virtual: true, ...tiers };
    return [name, { id: name, object: 'model', created: createdSecs, owned_by: 'arbstr', arbstr }];
  });
}

function concreteObjects(
  providers: readonly ProviderConfig[],
  createdSecs: number,
): [string, object][] {
  const sellers = [...sellersOf(providers)].sort(([a], [b]) => (a < b ? -1 : 1));
  return sellers.map(([id, list]) => [
    id,
    {
      id,
      object: 'model',
      created: createdSecs,
      owned_by: 'arbstr',
      arbstr: {
        rate_unit: 'sats_per_1m_tokens',
        providers: list.map(({ provider, offer }) => ({
          name: provider.name,
          tier: provider.tier,
          endpoints: [...provider.endpoints],
          context_window: offer.contextWindow,
          rates: wireRates(offer.rates),
        })),
      },
    },
  ]);
}

/** Rates in sats, as the configuration has them, markup included. */
export function wireRates(rates: Rates) {
  return {
    input_rate_sats_per_1m: rates.inputMsatPerMtok / 1000,
    output_rate_sats_per_1m: rates.outputMsatPerMtok / 1000,
    cached_input_rate_sats_per_1m:
      rates.cachedInputMsatPerMtok === null ? null : rates.cachedInputMsatPerMtok / 1000,
    base_fee_sats: rates.baseFeeMsat / 1000,
  };
}

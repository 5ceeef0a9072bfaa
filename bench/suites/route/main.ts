/** The process that chooses routes, one job after the other: core's own code, and a bare scan. */
import type { Strategy } from '../../../packages/core/src/config/types.ts';
import { createExpectations } from '../../../packages/core/src/pricing/expectation.ts';
import { createBreakers } from '../../../packages/core/src/route/breaker/registry.ts';
import { createObserved } from '../../../packages/core/src/route/observed.ts';
import { route } from '../../../packages/core/src/route/route.ts';
import { sellersOf } from '../../../packages/core/src/route/sellers.ts';
import { quantile } from '../../statistics.ts';
import type { AllocationFindings, Chooser, RouteJob, SpeedFindings } from './job.ts';
import { asked, market } from './market.ts';

const { config, models } = market();
const sellers = sellersOf(config.providers);
const requests = models.map(asked);
const virtual = asked('auto');
const nowMs = () => performance.now();
const observed = createObserved(nowMs, Math.random);
const ranking = observed.ranking(true);
const expectations = createExpectations();
const breakers = createBreakers({ ...config.breaker, probeMs: 60_000 }, nowMs);
const availability = { ...breakers, balanceMsat: () => null };
const byStrategy = (defaultStrategy: Strategy) => ({
  ...config,
  policies: { ...config.policies, defaultStrategy },
});
const configs = {
  cheapest: byStrategy('cheapest'),
  lowest_latency: byStrategy('lowest_latency'),
  round_robin: byStrategy('round_robin'),
  weighted: byStrategy('weighted'),
};

function chooseOne(on: Strategy | 'virtual', nth: number): string {
  const { request, prompt } = on === 'virtual' ? virtual : requests[nth % requests.length]!;
  const { choice } = route({
    request,
    wish: { policy: null, complexity: null },
    config: configs[on === 'virtual' ? 'cheapest' : on],
    sellers,
    prompt,
    expectation: expectations.of,
    agentModels: null,
    ranking,
    billing: { defaultReserveTokens: 4_096 },
    maxAttempts: config.retry.maxAttempts,
    rescue: 'off',
    availability,
    nowMs: nowMs(),
  });
  if (choice.kind === 'refused') throw new Error(choice.message);
  const [{ provider, offer }] = choice.candidates;
  observed.observe(provider.name, offer.model, true, 200 + (nth % 50));
  expectations.observe(offer.model, null, 100 + (nth % 200));
  return provider.name;
}

/** The least that choosing can be: one product per seller, and the smallest of them. */
function scan(nth: number): string {
  const { request, prompt } = requests[nth % requests.length]!;
  let best = '';
  let least = Number.POSITIVE_INFINITY;
  for (const { provider, offer } of sellers.get(request.model)!) {
    const { inputMsatPerMtok, outputMsatPerMtok } = offer.rates;
    const cost = prompt.textTokens * inputMsatPerMtok + 256 * outputMsatPerMtok;
    if (cost >= least) continue;
    least = cost;
    best = provider.name;
  }
  return best;
}

const WARM_MS = 200;
/** Between two looks at the clock. */
const AT_ONCE = 16;

function speed(on: Chooser, measureMs: number): SpeedFindings {
  const once = on === 'scan' ? scan : (nth: number) => chooseOne(on, nth);
  let nth = 0;
  const during = (ms: number): number => {
    const fromMs = performance.now();
    const fromCpu = process.cpuUsage();
    const from = nth;
    while (performance.now() - fromMs < ms) {
      for (let at = 0; at < AT_ONCE; at++) if (once(nth++) === '') throw new Error('nobody');
    }
    const { user, system } = process.cpuUsage(fromCpu);
    return (user + system) / (nth - from);
  };
  during(WARM_MS);
  return { cpuUs: during(measureMs) };
}

/** Few enough to fit into the young generation, so that nothing is collected in between. */
const SAMPLE = 50;
const SAMPLES = 15;
/** Until the code is compiled as it stays; compiled code allocates less. */
const WARM_CHOICES = 20_000;

function allocation(choices: number): AllocationFindings {
  const chooseMany = (count: number): void => {
    for (let nth = 0; nth < count; nth++) chooseOne('cheapest', nth);
  };
  const collect = (): number => {
    globalThis.gc!();
    return process.memoryUsage().heapUsed;
  };
  const sample = (): number => {
    const before = collect();
    chooseMany(SAMPLE);
    return (process.memoryUsage().heapUsed - before) / SAMPLE;
  };
  const perChoice = (): number =>
    quantile(Float64Array.from({ length: SAMPLES }, sample).sort(), 0.5);
  chooseMany(WARM_CHOICES);
  const bytesBefore = perChoice();
  const heapBefore = collect();
  chooseMany(choices);
  const keptBytes = collect() - heapBefore;
  return { bytesBefore, bytesAfter: perChoice(), keptBytes };
}

// An end that writes the CPU profile, where one was asked for.
process.on('SIGTERM', () => process.exit(0));
process.channel!.ref();
process.on('message', (job: RouteJob) => {
  process.send!(job.on === 'allocation' ? allocation(job.choices) : speed(job.on, job.measureMs));
});
process.send!('ready');

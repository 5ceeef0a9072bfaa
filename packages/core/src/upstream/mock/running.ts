import type { MockSettings, ProviderConfig } from '../../config/types.ts';
import { type MockProvider, startMockProvider } from './server.ts';

/** The mocks of this process, by what they are: an unchanged one runs on through a reload. */
export interface RunningMocks {
  /** Starts those that do not run yet; answers all providers, mocks with their addresses. */
  addressed(providers: readonly ProviderConfig[]): Promise<readonly ProviderConfig[]>;
  /** Ends those that none of these is, each after its live answers. */
  retain(providers: readonly ProviderConfig[]): Promise<void>;
  close(): Promise<void>;
}

export function createRunningMocks(): RunningMocks {
  const running = new Map<string, MockProvider>();
  const retiring = new Set<MockProvider>();

  async function addressOf(provider: ProviderConfig, mock: MockSettings): Promise<string> {
    const key = keyOf(provider);
    let started = running.get(key);
    if (started === undefined) {
      started = await startMockProvider({ ...mock, models: provider.models, keepCalls: 0 });
      running.set(key, started);
    }
    return started.url;
  }

  async function retire(keep: ReadonlySet<string>): Promise<void> {
    const gone = [...running].filter(([key]) => !keep.has(key));
    for (const [key, mock] of gone) {
      running.delete(key);
      retiring.add(mock);
    }
    await Promise.all(
      gone.map(async ([, mock]) => {
        await mock.retire();
        retiring.delete(mock);
      }),
    );
  }

  return {
    async addressed(providers) {
      const addressed: ProviderConfig[] = [];
      for (const provider of providers) {
        const { mock } = provider;
        addressed.push(
          mock === null ? provider : { ...provider, url: await addressOf(provider, mock) },
        );
      }
      return addressed;
    },
    retain: (providers) => retire(new Set(providers.map(keyOf))),
    async close() {
      await Promise.all([...running.values(), ...retiring].map((mock) => mock.close()));
    },
  };
}

const keyOf = ({ name, mock, models }: ProviderConfig): string =>
  JSON.stringify([name, mock, models]);

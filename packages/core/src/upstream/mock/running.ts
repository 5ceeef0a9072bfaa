import type { MockSettings, ProviderConfig } from '../../config/types.ts';
import { type MockProvider, startMockProvider } from './server.ts';

/** The mocks of this process, by what they are: an unchanged one runs on through a reload. */
export interface RunningMocks {
  /** Starts those that do not run yet; answers all providers, mocks with their addresses. */
  addressed(providers: readonly ProviderConfig[]): Promise<readonly ProviderConfig[]>;
  /** Ends those that none of these is. */
  retain(providers: readonly ProviderConfig[]): Promise<void>;
  close(): Promise<void>;
}

export function createRunningMocks(): RunningMocks {
  const running = new Map<string, MockProvider>();

  async function addressOf(provider: ProviderConfig, mock: MockSettings): Promise<string> {
    const key = keyOf(provider);
    let started = running.get(key);
    if (started === undefined) {
      started = await startMockProvider({ ...mock, models: provider.models, keepCalls: 0 });
      running.set(key, started);
    }
    return started.url;
  }

  async function end(keep: ReadonlySet<string>): Promise<void> {
    const ended = [...running].filter(([key]) => !keep.has(key));
    for (const [key] of ended) running.delete(key);
    await Promise.all(ended.map(([, mock]) => mock.close()));
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
    retain: (providers) => end(new Set(providers.map(keyOf))),
    close: () => end(new Set()),
  };
}

const keyOf = ({ name, mock, models }: ProviderConfig): string =>
  JSON.stringify([name, mock, models]);

import { afterEach, expect, it } from 'vitest';
import { until } from '../../../../../test/support/process.ts';
import type { ProviderConfig } from '../../../src/config/types.ts';
import { createRunningMocks, type RunningMocks } from '../../../src/upstream/mock/running.ts';
import { provider } from '../../config/load-text.ts';

let mocks: RunningMocks;
afterEach(() => mocks.close());

const mock = (answer: string): ProviderConfig =>
  provider(`[[providers]]
name = "a"
kind = "mock"
models = ["m"]
input_rate = 0
output_rate = 0
mock = { answer = "${answer}", chunk_delay_ms = 30 }
`);

const ask = (url: string) =>
  fetch(`${url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'Hi.' }],
    }),
  });

it('an unchanged mock runs on, and one that is gone ends after its live answers', async () => {
  mocks = createRunningMocks();
  const [first] = await mocks.addressed([mock('one two three four')]);
  expect((await mocks.addressed([mock('one two three four')]))[0]!.url).toBe(first!.url);

  const stream = await ask(first!.url);
  const [second] = await mocks.addressed([mock('another')]);
  expect(second!.url).not.toBe(first!.url);
  const retired = mocks.retain([second!]);
  expect(await stream.text()).toContain('[DONE]');
  await until(
    () =>
      ask(first!.url).then(
        () => false,
        () => true,
      ),
    5_000,
  );
  expect((await ask(second!.url)).status).toBe(200);
  await mocks.close();
  await retired;
});

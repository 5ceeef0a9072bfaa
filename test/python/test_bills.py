"""Every bill against an independent computation, through the agent's balance."""

import random
import unittest
from concurrent.futures import ThreadPoolExecutor

from stack import STANDARD, StackTest, ask, headers, msat_of, new_id, text_of

#: Long enough for the hold to cover the reports below, which may be twice our own count.
PROMPT = "The quick brown fox jumps over the lazy dog. " * 400
PROMPT_TOKENS_MAX = 6_000
COMPLETION_TOKENS_MAX = 4_096


class Bills(StackTest):
    def test_any_usage_at_rates_with_decimals(self):
        seed = random.randrange(2**32)
        rng = random.Random(seed)
        reports = [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 1, 1)]
        for _ in range(16):
            prompt = rng.randint(0, PROMPT_TOKENS_MAX)
            reports.append((prompt, rng.randint(0, prompt), rng.randint(0, COMPLETION_TOKENS_MAX)))
        for stream in (False, True):
            for prompt, cached, completion in reports:
                with self.subTest(seed=seed, stream=stream, report=(prompt, cached, completion)):
                    cost = self.stack.priced.cost_msat(prompt, completion, cached)
                    with self.costs(cost):
                        self.assertEqual(self.billed(stream, prompt, cached, completion), cost)

    def billed(self, stream: bool, prompt: int, cached: int, completion: int) -> int:
        """The bill as the answer states it."""
        report = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        options = ask("priced", PROMPT, extra_body={"x_report": report})
        create = self.client.chat.completions.with_raw_response.create
        if not stream:
            raw = create(**options)
            self.assertEqual(raw.parse().usage.prompt_tokens_details.cached_tokens, cached)
            return msat_of(raw.headers["x-arbstr-cost-sats"])
        raw = create(**options, stream=True, stream_options={"include_usage": True})
        *_, last = raw.parse()
        self.assertFalse(last.arbstr["estimated"])
        self.assertNotIn("x-arbstr-cost-sats", raw.headers)
        return last.arbstr["cost_msats"]

    def test_a_report_that_the_answer_does_not_bear_out_earns_the_estimate(self):
        for model in ("boasting", "no-usage"):
            for stream in (False, True):
                request_id = new_id()
                with self.subTest(model, stream=stream), self.costs(1, 40 * 8):
                    answer = self.client.chat.completions.create(
                        **ask(model, stream=stream), extra_headers=headers(request_id)
                    )
                    text = text_of(answer) if stream else answer.choices[0].message.content
                    self.assertEqual(text, "Hello, world.")
                tokens = self.stack.request_row(self.agent, request_id)["tokens"]
                self.assertTrue(tokens["estimated"])
                self.assertEqual(tokens["usage_disbelieved"], model == "boasting")

    def test_many_at_once_cost_exactly_their_sum(self):
        before = self.balance()

        def cost(nth: int) -> int:
            raw = self.client.chat.completions.with_raw_response.create(
                **ask("hello", f"No. {nth}")
            )
            usage = raw.parse().usage
            stated = msat_of(raw.headers["x-arbstr-cost-sats"])
            assert stated == STANDARD.cost_msat(usage.prompt_tokens, usage.completion_tokens)
            return stated

        with ThreadPoolExecutor(16) as threads:
            costs = list(threads.map(cost, range(60)))
        self.assertEqual(before - self.balance(), sum(costs))

    def test_a_balance_that_holds_only_some_of_many_is_never_overdrawn(self):
        # Each holds about 33,000 msat and costs about 200.
        agent = self.stack.agent(fund_msat=100_000)
        client = self.client_of(agent)

        def cost(_) -> int:
            raw = client.chat.completions.with_raw_response.create(**ask("slow"))
            return msat_of(raw.headers["x-arbstr-cost-sats"])

        with ThreadPoolExecutor(12) as threads:
            tries = [threads.submit(cost, nth) for nth in range(12)]
        costs = [done.result() for done in tries if done.exception() is None]
        refused = [done.exception().code for done in tries if done.exception() is not None]
        self.assertEqual(set(refused), {"insufficient_balance"})
        self.assertIn(len(costs), (2, 3))
        self.assertEqual(self.stack.settled(agent), 100_000 - sum(costs))


if __name__ == "__main__":
    unittest.main()

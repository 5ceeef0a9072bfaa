"""AsyncOpenAI: many at once on one connection pool, each with its own answer and bill."""

import asyncio
import unittest

import openai

from stack import STANDARD, StackTest, ask


class Async(StackTest):
    def test_whole_and_streamed_answers_side_by_side(self):
        before = self.balance()
        costs = asyncio.run(self.ask_both_ways(20))
        self.assertEqual(before - self.balance(), sum(costs))

    async def ask_both_ways(self, times: int) -> list[int]:
        async with self.async_client() as client:
            questions = [f"Question number {nth}" for nth in range(times)]
            whole = [self.whole(client, question) for question in questions]
            streamed = [self.streamed(client, question) for question in questions]
            return await asyncio.gather(*whole, *streamed)

    async def whole(self, client: openai.AsyncOpenAI, question: str) -> int:
        completion = await client.chat.completions.create(**ask("obliging", question))
        self.assertIn(f'"{question}"', completion.choices[0].message.content)
        usage = completion.usage
        return STANDARD.cost_msat(usage.prompt_tokens, usage.completion_tokens)

    async def streamed(self, client: openai.AsyncOpenAI, question: str) -> int:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        text = ""
        bill = None
        async for chunk in await client.chat.completions.create(
            **ask("obliging", question, **options)
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            bill = getattr(chunk, "arbstr", bill)
        self.assertIn(f'"{question}"', text)
        return bill["cost_msats"]

    def test_errors_and_broken_streams(self):
        async def run() -> None:
            async with self.async_client() as client:
                with self.assertRaises(openai.NotFoundError):
                    await client.chat.completions.create(**ask("nobody-has-it"))
                stream = await client.chat.completions.create(**ask("dies-mid-stream", stream=True))
                with self.assertRaises(openai.APIError) as caught:
                    async for _ in stream:
                        pass
                self.assertEqual(caught.exception.code, "provider_error")
                # The client is as good as before.
                models = [model.id async for model in client.models.list()]
                self.assertIn("hello", models)

        asyncio.run(run())


if __name__ == "__main__":
    unittest.main()

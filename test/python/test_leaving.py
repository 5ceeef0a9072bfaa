"""Callers that do not wait for the end: what they have had is billed, and the provider stops."""

import asyncio
import unittest

import openai

from stack import StackTest, ask, headers, new_id


class Leaving(StackTest):
    def test_closing_a_stream_early_stops_the_provider(self):
        request_id = new_id()
        # 20 words were read; the rest of 500 would cost 4,000 msat.
        with self.costs(20 * 8, 1_500):
            options = ask("long", stream=True, extra_headers=headers(request_id))
            with self.client.chat.completions.create(**options) as stream:
                for _, chunk in zip(range(20), stream):
                    self.assertEqual(len(chunk.choices), 1)
            call = self.stack.call(request_id)
            self.assertEqual(call["state"], "client_gone")
            self.assertLess(call["chunks_sent"], 180)
        row = self.stack.request_row(self.agent, request_id)
        self.assertEqual(row["ending"], "client_gone")
        self.assertTrue(row["tokens"]["estimated"])

    def test_a_timeout_of_a_whole_answer_pays_for_it_as_the_provider_does(self):
        request_id = new_id()
        with self.costs(1, 40 * 8):
            with self.assertRaises(openai.APITimeoutError):
                self.client.chat.completions.create(
                    **ask("slow"), timeout=0.5, extra_headers=headers(request_id)
                )
            self.assertEqual(self.stack.call(request_id)["state"], "answered")

    def test_a_timeout_before_the_first_byte_of_a_stream_pays_for_the_prompt(self):
        request_id = new_id()
        with self.costs(1, 20 * 8):
            with self.assertRaises(openai.APITimeoutError):
                self.client.chat.completions.create(
                    **ask("silent", stream=True), timeout=0.5, extra_headers=headers(request_id)
                )
            self.assertEqual(self.stack.call(request_id)["state"], "client_gone")

    def test_a_timeout_in_the_middle_of_a_stream(self):
        request_id = new_id()
        with self.costs(1, 40 * 8):
            options = ask("stalls-mid-stream", stream=True, extra_headers=headers(request_id))
            with self.assertRaises(openai.APITimeoutError):
                list(self.client.chat.completions.create(**options, timeout=0.5))
            self.assertEqual(self.stack.call(request_id)["state"], "client_gone")

    def test_a_cancelled_task_stops_the_provider(self):
        request_id = new_id()

        async def read_for_a_while():
            async with self.async_client() as client:
                options = ask("long", stream=True, extra_headers=headers(request_id))
                async for _ in await client.chat.completions.create(**options):
                    pass

        async def cancel() -> None:
            task = asyncio.create_task(read_for_a_while())
            await asyncio.sleep(0.7)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        with self.costs(1, 3_000):
            asyncio.run(cancel())
            self.assertEqual(self.stack.call(request_id)["state"], "client_gone")


if __name__ == "__main__":
    unittest.main()

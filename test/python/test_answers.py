"""What a program that was written for OpenAI gets to see."""

import base64
import hashlib
import json
import os
import unittest
from pathlib import Path

from pydantic import BaseModel

from stack import STANDARD, StackTest, ask, headers, msat_of, new_id, text_of

WHOLE = Path(__file__).parent.joinpath("verbatim-whole.txt").read_bytes()
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "array"}},
        },
    },
}
CITIES = [{"city": "Oslo", "days": [1, 2, 3]}, {"city": "Zürich", "days": []}]


class Answers(StackTest):
    def test_a_whole_answer_says_what_it_cost(self):
        before = self.balance()
        raw = self.client.chat.completions.with_raw_response.create(**ask("hello"))
        completion = raw.parse()
        self.assertEqual(completion.choices[0].message.content, "Hello, world.")
        self.assertEqual(completion._request_id, raw.headers["x-request-id"])
        usage = completion.usage
        cost = STANDARD.cost_msat(usage.prompt_tokens, usage.completion_tokens)
        self.assertEqual(msat_of(raw.headers["x-arbstr-cost-sats"]), cost)
        self.assertEqual(before - self.balance(), cost)
        self.assertEqual(raw.headers["x-arbstr-request-id"], raw.headers["x-request-id"])
        self.assertEqual(raw.headers["x-arbstr-provider"], "alpha")
        self.assertEqual(raw.headers["x-arbstr-model"], "hello")
        self.assertLess(msat_of(raw.headers["x-arbstr-balance-sats"]), before)
        self.assertEqual(raw.headers["openai-version"], "2020-10-01")

    def test_a_stream_has_nothing_that_was_not_asked_for(self):
        for options in ({}, {"stream_options": {"include_usage": False}}):
            with self.subTest(**options), self.costs(1, 1000):
                stream = self.client.chat.completions.create(**ask("hello", stream=True, **options))
                chunks = list(stream)
                self.assertEqual(text_of(chunks), "Hello, world.")
                self.assertEqual({len(chunk.choices) for chunk in chunks}, {1})
                self.assertEqual({chunk.usage for chunk in chunks}, {None})
                self.assertEqual(stream.response.headers["x-arbstr-streaming"], "true")

    def test_a_stream_with_usage_ends_with_it_and_with_the_bill(self):
        # Whatever the provider makes of our asking for usage.
        for model in ("hello", "usage-every-chunk", "no-usage", "usage-declined"):
            with self.subTest(model):
                before = self.balance()
                options = {"stream": True, "stream_options": {"include_usage": True}}
                *rest, last = self.client.chat.completions.create(**ask(model, **options))
                self.assertEqual(text_of(rest), "Hello, world.")
                self.assertEqual([len(chunk.choices) for chunk in rest], [1] * len(rest))
                self.assertEqual(last.choices, [])
                bill = last.arbstr
                self.assertEqual(bill["estimated"], model in ("no-usage", "usage-declined"))
                self.assertEqual(last.usage.total_tokens, bill["usage"]["total_tokens"])
                cost = STANDARD.cost_msat(last.usage.prompt_tokens, last.usage.completion_tokens)
                self.assertEqual(bill["cost_msats"], cost)
                self.assertEqual(before - self.balance(), cost)

    def test_streams_of_odd_providers_read_like_any_other(self):
        for model in ("crlf", "chatty", "no-done"):
            with self.subTest(model), self.costs(1, 1000):
                chunks = list(self.client.chat.completions.create(**ask(model, stream=True)))
                self.assertEqual(text_of(chunks), "Hello, world.")
                self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    def test_none_is_as_good_as_nothing(self):
        names = (
            "max_tokens max_completion_tokens n stop tools tool_choice response_format seed user"
        )
        nothing = dict.fromkeys(names.split())
        for options in (
            None,
            {},
            {"include_usage": None},
            {"include_obfuscation": False},
        ):
            request_id = new_id()
            with self.subTest(options), self.costs(1, 1000):
                stream = self.client.chat.completions.create(
                    **ask("hello", stream=True, stream_options=options, **nothing),
                    extra_headers=headers(request_id),
                )
                chunks = list(stream)
                self.assertEqual(text_of(chunks), "Hello, world.")
                self.assertEqual({len(chunk.choices) for chunk in chunks}, {1})
                sent = json.loads(self.stack.call(request_id)["body"])
                asked = {**(options or {}), "include_usage": True}
                self.assertEqual(sent["stream_options"], asked)
                self.assertEqual(sent["max_tokens"], 4096)

    def test_n_choices_are_kept_apart(self):
        completion = self.client.chat.completions.create(**ask("hello", n=3))
        contents = [choice.message.content for choice in completion.choices]
        self.assertEqual(contents, ["Hello, world."] * 3)
        texts = {}
        for chunk in self.client.chat.completions.create(**ask("hello", n=3, stream=True)):
            (choice,) = chunk.choices
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
        self.assertEqual(texts, {index: "Hello, world." for index in range(3)})

    def test_the_bound_is_sent_where_the_caller_gave_none(self):
        create = self.client.chat.completions.with_raw_response.create
        raw = create(**ask("obliging"))
        self.assertEqual(raw.headers["x-arbstr-max-tokens"], "4096")
        for bound in ("max_tokens", "max_completion_tokens"):
            raw = create(**ask("obliging", **{bound: 4}))
            self.assertNotIn("x-arbstr-max-tokens", raw.headers)
            self.assertEqual(raw.parse().choices[0].finish_reason, "length")
            self.assertEqual(raw.parse().usage.completion_tokens, 4)

    def test_the_cheaper_provider_fails_and_the_dearer_one_answers(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                raw = self.client.chat.completions.with_raw_response.create(
                    **ask("falls-back", stream=stream)
                )
                answer = raw.parse()
                text = text_of(answer) if stream else answer.choices[0].message.content
                self.assertEqual(text, "Hello, world.")
                self.assertEqual(raw.headers["x-arbstr-provider"], "dear")
                self.assertEqual(raw.headers["x-arbstr-retries"], "1/cheap")


class Tools(StackTest):
    def test_a_tool_loop_with_parallel_calls_and_content_none(self):
        for model in ("tools", "split-writes"):
            for turn in (self.whole_turn, self.streamed_turn, self.helper_turn):
                with self.subTest(model, turn=turn.__name__):
                    self.run_loop(model, turn)

    def run_loop(self, model, turn):
        messages = [{"role": "user", "content": "How is the weather in Oslo and Zürich?"}]
        message = turn(model, messages, new_id())
        self.assertIsNone(message["content"])
        calls = message["tool_calls"]
        self.assertEqual([json.loads(call["function"]["arguments"]) for call in calls], CITIES)
        self.assertEqual(len({call["id"] for call in calls}), 2)
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls
        ]
        request_id = new_id()
        last = turn(model, [*messages, message, *results], request_id)
        self.assertEqual(last["content"], "Both are sunny.")
        sent = json.loads(self.stack.call(request_id)["body"])["messages"]
        self.assertIsNone(sent[1]["content"])
        self.assertEqual(sent[1]["tool_calls"], calls)

    def options(self, model, messages, request_id):
        return {
            "model": model,
            "messages": messages,
            "tools": [WEATHER],
            "parallel_tool_calls": True,
            "extra_headers": headers(request_id),
        }

    def whole_turn(self, *turn):
        completion = self.client.chat.completions.create(**self.options(*turn))
        return completion.choices[0].message.model_dump(exclude_unset=True)

    def streamed_turn(self, *turn):
        """By hand, as most programs do it."""
        message = {"role": "assistant", "content": None}
        calls = {}
        for chunk in self.client.chat.completions.create(**self.options(*turn), stream=True):
            delta = chunk.choices[0].delta
            if delta.content:
                message["content"] = (message["content"] or "") + delta.content
            for part in delta.tool_calls or []:
                call = calls.setdefault(part.index, {"function": {"name": "", "arguments": ""}})
                if part.id:
                    call.update(id=part.id, type=part.type)
                call["function"]["name"] += part.function.name or ""
                call["function"]["arguments"] += part.function.arguments or ""
        return {**message, **({"tool_calls": list(calls.values())} if calls else {})}

    def helper_turn(self, *turn):
        """The SDK's own accumulation."""
        with self.client.chat.completions.stream(**self.options(*turn)) as stream:
            message = stream.get_final_completion().choices[0].message
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls or []
        ]
        shown = {"role": "assistant", "content": message.content}
        return {**shown, **({"tool_calls": calls} if calls else {})}


class City(BaseModel):
    name: str
    people: int
    twinned_with: list[str]


class Contents(StackTest):
    def test_json_mode_and_schemas(self):
        completion = self.client.chat.completions.create(
            **ask("obliging", response_format={"type": "json_object"})
        )
        self.assertIn("answer", json.loads(completion.choices[0].message.content))
        completion = self.client.chat.completions.parse(**ask("obliging"), response_format=City)
        self.assertIsInstance(completion.choices[0].message.parsed, City)
        with self.client.chat.completions.stream(**ask("obliging"), response_format=City) as stream:
            parsed = stream.get_final_completion().choices[0].message.parsed
        self.assertIsInstance(parsed, City)

    def test_ten_megabytes_of_image_pass_unchanged_and_are_not_counted_as_text(self):
        image = base64.b64encode(os.urandom(7_500_000)).decode()
        content = [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        ]
        request_id = new_id()
        raw = self.client.chat.completions.with_raw_response.create(
            model="obliging",
            messages=[{"role": "user", "content": content}],
            max_tokens=100,
            extra_headers=headers(request_id),
        )
        self.assertIn("saw 1 image", raw.parse().choices[0].message.content)
        sent = raw.http_request.content
        self.assertGreater(len(sent), 10_000_000)
        self.assertEqual(self.stack.call(request_id)["sha256"], hashlib.sha256(sent).hexdigest())
        row = self.stack.request_row(self.agent, request_id)
        # As text it would be millions of tokens, at 8 msat each.
        self.assertLess(row["cost"]["held_msats"], 40_000)

    def test_unknown_fields_pass_in_both_directions(self):
        request_id = new_id()
        raw = self.client.chat.completions.with_raw_response.create(
            **ask("verbatim", max_tokens=50, seed=2**53 + 1),
            extra_headers=headers(request_id),
            extra_body={"x_new": {"deep": [1, None, "Grüße"]}, "top_k": 7},
        )
        self.assertEqual(raw.content, WHOLE)
        sent = self.stack.call(request_id)
        self.assertEqual(sent["body"].encode(), raw.http_request.content)
        self.assertEqual(json.loads(sent["body"])["x_new"], {"deep": [1, None, "Grüße"]})
        dumped = raw.parse().model_dump()
        self.assertEqual(dumped["x_big"], 12345678901234567890)
        self.assertEqual(dumped["choices"][0]["message"]["reasoning_content"], "hm")
        self.assertEqual(dumped["usage"]["x_energy"], 0.5)

    def test_unknown_fields_of_chunks_pass(self):
        stream = self.client.chat.completions.create(
            **ask("verbatim", stream=True, stream_options={"include_usage": True})
        )
        chunks = [chunk.model_dump() for chunk in stream]
        self.assertEqual(chunks[0]["service_hint"]["shard"], 12345678901234567890)
        self.assertEqual(chunks[0]["choices"][0]["delta"]["reasoning_content"], "hm")
        self.assertEqual(chunks[1]["choices"][0]["delta"]["content"], "Grüße, 🚀 世界")
        self.assertEqual(chunks[2]["choices"][0]["x_stop"], 100)
        self.assertEqual(chunks[3]["usage"]["x_energy"], 0.5)
        self.assertIn("cost_msats", chunks[3]["arbstr"])


class Models(StackTest):
    def test_models_are_listed_and_retrieved_whatever_their_names(self):
        listed = {model.id: model for model in self.client.models.list()}
        for name in ("hello", "acme/wide-7b:free"):
            with self.subTest(name):
                model = self.client.models.retrieve(name)
                self.assertEqual(model, listed[name])
                self.assertEqual(model.object, "model")
                (provider,) = model.arbstr["providers"]
                self.assertEqual(provider["rates"]["output_rate_sats_per_1m"], 8000)
                completion = self.client.chat.completions.create(**ask(name))
                self.assertEqual(completion.choices[0].message.content, "Hello, world.")

    def test_the_base_url_may_lack_its_v1_and_have_a_slash(self):
        for base_url in ("", "/", "/v1", "/v1/"):
            with self.subTest(base_url):
                client = self.client_of(self.agent, base_url=self.stack.core_url + base_url)
                completion = client.chat.completions.create(**ask("hello"))
                self.assertEqual(completion.choices[0].message.content, "Hello, world.")
                self.assertIn("hello", [model.id for model in client.models.list()])
                self.assertEqual(client.models.retrieve("hello").id, "hello")


if __name__ == "__main__":
    unittest.main()

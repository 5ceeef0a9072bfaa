"""The bytes themselves, and one id from the caller to the vault's books."""

import json
import unittest
from pathlib import Path

import httpx2

from stack import StackTest, ask, headers, new_id

FIXTURE = Path(__file__).parent.joinpath("verbatim-stream.txt").read_bytes()
#: As the provider sends it, event by event, each with its empty line.
EVENTS = [event + b"\n\n" for event in FIXTURE.removesuffix(b"\n\n").split(b"\n\n")]
USAGE, DONE = EVENTS[-2:]


class Wire(StackTest):
    def stream(self, body: dict, **more_headers) -> tuple[httpx2.Headers, bytes, list[str]]:
        """Headers, bytes, and lines as a client without any SDK reads them."""
        request = {
            "url": f"{self.stack.core_url}/v1/chat/completions",
            "headers": {"authorization": f"Bearer {self.agent.token}", **more_headers},
            "json": {**body, "stream": True},
        }
        with httpx2.stream("POST", **request) as response:
            raw = b"".join(response.iter_raw())
        with httpx2.stream("POST", **request) as response:
            lines = list(response.iter_lines())
        return response.headers, raw, lines

    def bill_in(self, raw: bytes) -> dict:
        (comment,) = [line for line in raw.split(b"\n") if line.startswith(b": arbstr ")]
        return json.loads(comment.removeprefix(b": arbstr "))

    def test_the_providers_bytes_pass_and_one_comment_and_one_end_mark_follow(self):
        for options in ({}, {"stream_options": {"include_usage": False}}):
            answer_headers, raw, lines = self.stream(ask("verbatim", **options))
            self.assertEqual(answer_headers["content-type"], "text/event-stream; charset=utf-8")
            passed = b"".join(EVENTS[:-2])
            self.assertTrue(raw.startswith(passed))
            # This provider numbers its events, so the comment stands within the last one.
            self.assertRegex(raw[len(passed) :], rb"^: arbstr \{[^\n]*\}\ndata: \[DONE\]\n\n$")
            bill = self.bill_in(raw)
            self.assertEqual(bill["cost_msats"], (9 + 7) * 8)
            self.assertEqual(bill["provider"], "alpha")
            self.assertEqual(bill["usage"]["total_tokens"], 16)
            self.assertFalse(bill["estimated"])
            self.assertEqual(lines.count("data: [DONE]"), 1)
            self.assertEqual(sum(line.startswith(": arbstr ") for line in lines), 1)

    def test_a_caller_that_asks_for_usage_gets_the_providers_with_the_bill_in_it(self):
        options = {"stream_options": {"include_usage": True}}
        _, raw, _ = self.stream(ask("verbatim", **options))
        passed = b"".join(EVENTS[:-2])
        self.assertTrue(raw.startswith(passed + USAGE.removesuffix(b"}\n\n") + b',"arbstr":{'))
        usage = raw[len(passed) :].split(b"\n\n")[0]
        self.assertEqual(json.loads(usage.removeprefix(b"data: "))["arbstr"], self.bill_in(raw))

    def test_the_comment_is_an_event_of_its_own_where_that_is_harmless(self):
        _, raw, lines = self.stream(ask("hello"))
        self.assertRegex(raw, rb"\n\n: arbstr \{[^\n]*\}\n\ndata: \[DONE\]\n\n$")
        self.assertEqual(lines.count("data: [DONE]"), 1)

    def test_the_comment_can_be_left_out(self):
        _, raw, lines = self.stream(ask("hello"), **{"x-arbstr-comment": "off"})
        self.assertNotIn(b"arbstr", raw)
        self.assertEqual(lines.count("data: [DONE]"), 1)

    def test_a_broken_stream_has_its_bill_and_its_error_and_no_end_mark(self):
        _, raw, lines = self.stream(ask("dies-mid-stream"))
        self.assertNotIn("data: [DONE]", lines)
        self.assertGreater(self.bill_in(raw)["cost_msats"], 0)
        *_, last = [line for line in lines if line != ""]
        error = json.loads(last.removeprefix("data: "))["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})

    def test_one_id_from_the_caller_to_the_books(self):
        for stream in (False, True):
            request_id = new_id()
            with self.subTest(stream=stream):
                raw = self.client.chat.completions.with_raw_response.create(
                    **ask("hello", stream=stream), extra_headers=headers(request_id)
                )
                if stream:
                    list(raw.parse())
                self.assertEqual(raw.headers["x-request-id"], request_id)
                self.assertEqual(raw.headers["x-arbstr-request-id"], request_id)
                self.assertEqual(self.stack.call(request_id)["headers"]["x-request-id"], request_id)
                self.check_books(request_id)

    def check_books(self, request_id: str) -> None:
        row = self.stack.request_row(self.agent, request_id)
        self.assertEqual(row["correlation_id"], request_id)
        self.assertEqual(row["agent_id"], self.agent.id)
        cost = row["cost"]["msats"]
        self.assertGreater(cost, 0)
        self.balance()
        reservation = self.stack.reservation(row["reservation_id"])
        self.assertEqual(reservation["correlation_id"], request_id)
        self.assertEqual(reservation["state"], "settled")
        entries = self.stack.as_agent(self.agent, "/agents/me/history?order=asc")["entries"]
        mine = [entry for entry in entries if entry["correlation_id"] == request_id]
        actions = [(entry["action"], entry["amount_msat"]) for entry in mine]
        held = row["cost"]["held_msats"]
        self.assertEqual(actions, [("RESERVATION_HELD", held), ("RESERVATION_SETTLED", cost)])

    def test_an_id_that_is_none_is_replaced(self):
        for given in ("", "with space", "x" * 129, "a,b", 'a"b'):
            with self.subTest(given):
                raw = self.client.chat.completions.with_raw_response.create(
                    **ask("hello"), extra_headers={"x-request-id": given}
                )
                self.assertNotEqual(raw.headers["x-request-id"], given)
                self.assertRegex(raw.headers["x-request-id"], r"^[A-Za-z0-9._:-]{1,128}$")

    def test_the_provider_sees_its_own_key_and_nothing_of_the_caller(self):
        request_id = new_id()
        self.client.chat.completions.create(
            **ask("hello", user="u"),
            extra_headers={
                **headers(request_id),
                "openai-organization": "org-secret",
                "x-forwarded-for": "203.0.113.7",
                "cookie": "session=secret",
            },
        )
        sent = self.stack.call(request_id)["headers"]
        self.assertEqual(sent["authorization"], "Bearer sk-upstream-alpha")
        for value in (self.agent.token, "secret", "203.0.113.7", "OpenAI/Python"):
            self.assertNotIn(value, json.dumps(sent))
        self.assertEqual([name for name in sent if name.startswith("x-stainless")], [])


if __name__ == "__main__":
    unittest.main()

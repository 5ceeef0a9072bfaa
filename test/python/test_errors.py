"""Every error class of the SDK, what it carries, and that it costs nothing."""

import json
import socket
import time
import unittest

import openai

from stack import Agent, StackTest, ask, headers, new_id

#: What a provider answers, what the caller sees, as which class, and whether a retry can help.
UPSTREAM = [
    (400, 400, openai.BadRequestError, False),
    (401, 502, openai.InternalServerError, False),
    (402, 502, openai.InternalServerError, False),
    (403, 502, openai.InternalServerError, False),
    (404, 502, openai.InternalServerError, False),
    (408, 504, openai.InternalServerError, False),
    (409, 409, openai.ConflictError, False),
    (413, 413, openai.APIStatusError, False),
    (422, 422, openai.UnprocessableEntityError, False),
    (429, 429, openai.RateLimitError, True),
    (500, 502, openai.InternalServerError, False),
    (503, 502, openai.InternalServerError, False),
]


class ErrorTest(StackTest):
    def failure(self, create, kind, status, code) -> openai.APIStatusError:
        """Exactly this class, with all that the contract promises of any error."""
        with self.assertRaises(openai.APIStatusError) as caught:
            create()
        error = caught.exception
        self.assertIs(type(error), kind)
        self.assertEqual(error.status_code, status)
        self.assertEqual(error.code, code)
        self.assertEqual(set(json.loads(error.response.content)), {"error"})
        self.assertLessEqual({"message", "type", "param", "code"}, set(error.body))
        self.assertTrue(error.body["message"])
        self.assertTrue(error.request_id)
        self.assertEqual(error.response.headers["x-arbstr-request-id"], error.request_id)
        self.assertIn(error.response.headers["x-should-retry"], ("true", "false"))
        return error

    def create(self, client=None, **options):
        return lambda: (client or self.client).chat.completions.create(**options)


class CallersMistakes(ErrorTest):
    def refused(self, kind, status, code, client=None, **options) -> openai.APIStatusError:
        """Nothing reached a provider, and nothing was charged."""
        request_id = new_id()
        create = self.create(client, **options, extra_headers=headers(request_id))
        with self.costs(0):
            error = self.failure(create, kind, status, code)
        self.assertEqual(error.request_id, request_id)
        self.assertEqual(error.response.headers["x-should-retry"], "false")
        self.assertEqual(self.stack.calls(request_id), [])
        return error

    def test_400_bad_request(self):
        bad = openai.BadRequestError
        options = {"model": "hello", "messages": []}
        self.assertEqual(self.refused(bad, 400, "invalid_request", **options).param, "messages")
        options = ask("hello", service_tier="priority")
        error = self.refused(bad, 400, "unsupported_parameter", **options)
        self.assertEqual(error.param, "service_tier")
        self.refused(bad, 400, "invalid_request", **ask("hello", n=0))
        self.refused(bad, 400, "invalid_request", **ask("hello", extra_body={"max_tokens": "5"}))

    def test_401_authentication(self):
        for token in ("vtk_wrong", "x" * 5000):
            client = self.client_of(Agent("", token))
            error = self.refused(
                openai.AuthenticationError, 401, "invalid_api_key", client, **ask("hello")
            )
            self.assertNotIn(token, error.message)

    def test_402_balance_with_the_amounts(self):
        for fund_msat in (0, 100):
            client = self.client_of(self.stack.agent(fund_msat))
            error = self.refused(
                openai.APIStatusError, 402, "insufficient_balance", client, **ask("hello")
            )
            self.assertEqual(error.type, "insufficient_quota")
            self.assertEqual(error.body["available_msats"], fund_msat)
            self.assertGreater(error.body["required_msats"], 4096 * 8)

    def test_403_policy_with_the_rule(self):
        for policy, rule in (
            (None, "no_policy"),
            ({"max_transaction_msat": 10}, "max_transaction_msat"),
            ({"daily_limit_msat": 10}, "daily_limit_msat"),
        ):
            with self.subTest(rule):
                client = self.client_of(self.stack.agent(policy=policy))
                error = self.refused(
                    openai.PermissionDeniedError, 403, "policy_denied", client, **ask("hello")
                )
                self.assertEqual(error.body["rule"], rule)

    def test_404_not_found(self):
        error = self.refused(openai.NotFoundError, 404, "model_not_found", **ask("nobody-has-it"))
        self.assertEqual(error.param, "model")
        missing = openai.NotFoundError
        self.failure(lambda: self.client.models.retrieve("nope"), missing, 404, "model_not_found")
        self.failure(lambda: self.client.files.list(), missing, 404, "not_found")

    def test_413_body_too_large(self):
        url = "data:image/png;base64," + "A" * (21 * 2**20)
        content = [{"type": "image_url", "image_url": {"url": url}}]
        options = {"model": "hello", "messages": [{"role": "user", "content": content}]}
        self.refused(openai.APIStatusError, 413, "request_too_large", **options)

    def test_403_disabled_agent(self):
        create = self.create(**ask("hello"))
        create()
        self.stack.as_operator("DELETE", f"/agents/{self.agent.id}")
        self.failure(create, openai.PermissionDeniedError, 403, "agent_disabled")


class ProvidersFailures(ErrorTest):
    def test_every_status(self):
        for upstream, seen, kind, retry in UPSTREAM:
            for stream in (False, True):
                with self.subTest(upstream=upstream, stream=stream), self.costs(0):
                    with self.assertRaises(openai.APIStatusError) as caught:
                        self.create(**ask(f"status-{upstream}", stream=stream))()
                    error = self.failure(
                        self.create(**ask(f"status-{upstream}", stream=stream)),
                        kind,
                        seen,
                        caught.exception.code,
                    )
                    should = error.response.headers["x-should-retry"]
                    self.assertEqual(should, str(retry).lower())
                    self.assertEqual(error.response.headers["x-arbstr-provider"], "alpha")

    def test_429_says_when(self):
        create = self.create(**ask("status-429"))
        error = self.failure(create, openai.RateLimitError, 429, "rate_limited")
        self.assertEqual(error.response.headers["retry-after"], "1")
        self.assertEqual(error.type, "rate_limit_error")

    def test_a_page_instead_of_an_answer(self):
        for stream in (False, True):
            create = self.create(**ask("html", stream=stream))
            with self.costs(0):
                self.failure(create, openai.InternalServerError, 502, "provider_error")

    def test_a_stream_that_breaks_raises_and_bills_what_was_delivered(self):
        for model, code in (
            ("dies-mid-stream", "provider_error"),
            ("ends-mid-stream", "provider_error"),
            ("fails-mid-stream", "provider_error"),
            ("damaged-mid-stream", "provider_error"),
            ("stalls-mid-stream", "provider_timeout"),
        ):
            with self.subTest(model), self.costs(1, 60 * 8):
                text = ""
                with self.assertRaises(openai.APIError) as caught:
                    for chunk in self.client.chat.completions.create(**ask(model, stream=True)):
                        text += chunk.choices[0].delta.content or ""
                self.assertNotEqual(text, "")
                self.assertIs(type(caught.exception), openai.APIError)
                self.assertEqual(caught.exception.code, code)
                self.assertIn("broke", caught.exception.message)

    def test_nobody_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
            client = self.client_of(self.agent, base_url=url)
            with self.assertRaises(openai.APIConnectionError):
                self.create(client, **ask("hello"))()


class Retries(ErrorTest):
    """The SDK's own: it obeys x-should-retry and sends what it sent before."""

    def setUp(self):
        super().setUp()
        self.patient = self.client_of(self.agent, max_retries=2)

    def calls_of(self, model: str, kind) -> int:
        request_id = new_id()
        options = ask(model, extra_headers=headers(request_id))
        with self.costs(0), self.assertRaises(kind):
            self.patient.chat.completions.create(**options)
        return len(self.stack.calls(request_id))

    def test_what_cannot_help_is_not_tried_again(self):
        for model, kind in (
            ("status-400", openai.BadRequestError),
            # These the SDK would try again if it were not told.
            ("status-409", openai.ConflictError),
            ("status-500", openai.InternalServerError),
        ):
            with self.subTest(model):
                self.assertEqual(self.calls_of(model, kind), 1)

    def test_a_rate_limit_is_waited_for(self):
        started = time.monotonic()
        self.assertEqual(self.calls_of("status-429", openai.RateLimitError), 3)
        # Twice the provider's retry-after.
        self.assertGreaterEqual(time.monotonic() - started, 2)

    def test_a_retry_that_succeeds_is_billed_once(self):
        for stream in (False, True):
            request_id = new_id()
            with self.subTest(stream=stream), self.costs(1, 40 * 8):
                options = ask("limited-once", stream=stream, extra_headers=headers(request_id))
                answer = self.patient.chat.completions.create(**options)
                if stream:
                    list(answer)
            self.assertEqual(len(self.stack.calls(request_id)), 2)


if __name__ == "__main__":
    unittest.main()

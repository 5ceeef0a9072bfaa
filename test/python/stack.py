"""A running vault and core for these tests, and what they ask of it beside the SDK."""

import atexit
import functools
import json
import subprocess
import time
import unittest
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import httpx2
from openai import AsyncOpenAI, OpenAI

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
WAIT_SECS = 10
NO_LIMITS: dict = {}


@dataclass(frozen=True)
class Rates:
    """Sats per 1M tokens and per request, exact."""

    input: Fraction
    output: Fraction
    cached_input: Fraction
    base_fee: Fraction = Fraction(0)

    def cost_msat(self, prompt: int, completion: int, cached: int = 0) -> int:
        """The price as the contract has it, computed without floats and without arbstr's code."""
        sats = (
            (prompt - cached) * self.input + cached * self.cached_input + completion * self.output
        ) / 10**6
        fee_msat = self.base_fee * 1000
        assert fee_msat.denominator == 1
        return ceil(sats * 1000) + int(fee_msat)


STANDARD = Rates(input=Fraction(8000), output=Fraction(8000), cached_input=Fraction(8000))


def msat_of(sats: str) -> int:
    """Decimal sats of a header; a fraction of a msat is a mistake."""
    msat = Fraction(sats) * 1000
    assert msat.denominator == 1, sats
    return int(msat)


@dataclass(frozen=True)
class Agent:
    id: str
    token: str


class Stack:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [NODE, Path(__file__).parent / "serve-stack.ts"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline()
        if line == "":
            self.stop()
            raise RuntimeError("the stack did not start; its reason is above")
        ready = json.loads(line)
        self.core_url: str = ready["core_url"]
        self._vault_url = ready["vault_url"]
        self._lookout_url = ready["lookout_url"]
        self._admin_token = ready["admin_token"]
        self._internal_token = ready["internal_token"]
        rates = {key: Fraction(text) for key, text in ready["priced_rates"].items()}
        self.priced = Rates(
            input=rates["input_rate"],
            output=rates["output_rate"],
            cached_input=rates["cached_input_rate"],
            base_fee=rates["base_fee"],
        )
        self._http = httpx2.Client(timeout=WAIT_SECS)

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait(WAIT_SECS)
        self._process.stdout.close()

    def agent(self, fund_msat: int = 10**9, policy: dict | None = NO_LIMITS) -> Agent:
        """Without a policy (None) an agent may do nothing."""
        made = self.as_operator(
            "POST", "/agents", {"name": "python", **({} if policy is None else {"policy": policy})}
        )
        agent = Agent(made["agent_id"], made["token"])
        if fund_msat > 0:
            self.as_operator("POST", f"/agents/{agent.id}/deposit", {"amount_msat": fund_msat})
        return agent

    def as_operator(self, method: str, path: str, body: dict | None = None) -> dict:
        return self._vault(method, path, {"authorization": f"Bearer {self._admin_token}"}, body)

    def as_agent(self, agent: Agent, path: str) -> dict:
        return self._vault("GET", path, {"authorization": f"Bearer {agent.token}"})

    def reservation(self, reservation_id: str) -> dict:
        path = f"/internal/reservations/{reservation_id}"
        return self._vault("GET", path, {"x-internal-token": self._internal_token})

    def settled(self, agent: Agent) -> int:
        """What an agent has, msat, once nothing of it is held any more."""

        def balance() -> int | None:
            answer = self.as_agent(agent, "/agents/me/balance")
            return answer["balance_msat"] if answer["held_msat"] == 0 else None

        return until(balance, "every hold to come to its end")

    def calls(self, request_id: str) -> list[dict]:
        """What providers were sent under an id."""
        return self._http.get(f"{self._lookout_url}/calls/{request_id}").json()

    def call(self, request_id: str) -> dict:
        """The one call with this id, once it is over."""

        def over() -> dict | None:
            (call,) = self.calls(request_id)
            return call if call["state"] != "running" else None

        return until(over, "the provider's answer to end")

    def request_row(self, agent: Agent, request_id: str) -> dict:
        answer = self._http.get(
            f"{self.core_url}/v1/requests/{request_id}",
            headers={"authorization": f"Bearer {agent.token}"},
        )
        answer.raise_for_status()
        return answer.json()

    def verify(self) -> dict:
        return self._http.post(f"{self._lookout_url}/verify").json()

    def _vault(self, method: str, path: str, headers: dict, body: dict | None = None) -> dict:
        answer = self._http.request(method, self._vault_url + path, headers=headers, json=body)
        answer.raise_for_status()
        return answer.json()


def until(attempt, what: str):
    """The first result that is not None."""
    deadline = time.monotonic() + WAIT_SECS
    while (result := attempt()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {WAIT_SECS} s for {what}")
        time.sleep(0.02)
    return result


@functools.cache
def shared_stack() -> Stack:
    """Agents keep tests apart, so that one stack serves them all."""
    stack = Stack()
    atexit.register(stack.stop)
    return stack


class StackTest(unittest.TestCase):
    """Each test has a funded agent of its own; after each class the books are verified."""

    stack: Stack

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = shared_stack()

    @classmethod
    def tearDownClass(cls) -> None:
        verdict = cls.stack.verify()
        if verdict["code"] != 0:
            raise AssertionError(verdict["output"])

    def setUp(self) -> None:
        self.agent = self.stack.agent()
        self.client = self.client_of(self.agent)

    def client_of(self, agent: Agent, **options) -> OpenAI:
        options = {"base_url": f"{self.stack.core_url}/v1", "max_retries": 0, **options}
        client = OpenAI(api_key=agent.token, **options)
        self.addCleanup(client.close)
        return client

    def async_client(self, **options) -> AsyncOpenAI:
        """To be used with `async with`."""
        return AsyncOpenAI(
            api_key=self.agent.token,
            base_url=f"{self.stack.core_url}/v1",
            **{"max_retries": 0, **options},
        )

    def balance(self) -> int:
        return self.stack.settled(self.agent)

    @contextmanager
    def costs(self, low: int, high: int | None = None):
        """What happens inside costs the agent `low` msat, or from `low` to `high`."""
        before = self.balance()
        yield
        spent = before - self.balance()
        self.assertGreaterEqual(spent, low)
        self.assertLessEqual(spent, low if high is None else high)


def new_id() -> str:
    return f"py-{uuid.uuid4()}"


def headers(request_id: str) -> dict:
    """For `extra_headers`: the SDK has no id of its own, and keeps this one when it tries again."""
    return {"x-request-id": request_id}


def ask(model: str, text: str = "Say hello to the world.", **more) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def text_of(chunks) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

"""Shared by the probes for Python: prompts, expected responses, and a runner that prints one JSON line per scenario."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
#: Identifies the requests of this run: every prompt contains it.
RUN_ID = os.environ["RUN_ID"]
WRONG_KEY = "sk-not-a-key-of-this-gateway"

PLAIN = "openai/gpt-4o-mini"
EMBEDDER = "openai/text-embedding-3-small"
#: Responds in writes of 7 bytes, so that writes end in the middle of events and of characters.
STREAMED = "sim/ok:events=12,split=7"
#: Responds with a stream that takes 20 s.
SLOW = "sim/ok:events=400,gapMs=50"
#: Aborts the stream between two events.
CUT = "sim/cut"
#: The message in the gateway's last event of such a stream.
WHY_CUT = "OpenRouter closed the connection before its response was complete"
#: Never responds.
SILENT = "sim/hang"
#: Responds with 429 and `Retry-After: 1` to the first request, and normally to later ones.
BUSY_ONCE = f"sim/flaky:times=1,status=429,retryAfter=1,id={RUN_ID}"
#: Client timeout for requests to SILENT.
TIMEOUT_S = 0.7

#: A length that exceeds the gateway's limit of request bodies.
TOO_MANY_BYTES = 4_000_000

#: An image of one pixel.
PICTURE_BASE64 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE_URL = f"data:image/png;base64,{PICTURE_BASE64}"

#: The text that the simulator uses for every string of a JSON schema.
CITY = "Zürich 🗼"
TOOL_NAME = "get_weather"
TOOL: Any = {
    "type": "function",
    "function": {
        "name": TOOL_NAME,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
#: The result that a probe returns for a call of the tool.
TOOL_RESULT = "21 °C, sunny, no wind at all"
#: The simulator's structured output for the schema {city: string, celsius: integer}.
REPORT = {"city": CITY, "celsius": 1}


def failing(status: int) -> str:
    """Returns the model that responds with OpenRouter's error with this status."""
    return f"sim/error:status={status}"


def build_prompt(scenario: str) -> str:
    """Returns the prompt of a scenario. `test/sdk/matrix` finds the scenario's requests at upstream by this text."""
    return f"Ahoj from {RUN_ID}: {scenario}."


def build_reply(scenario: str) -> str:
    """Returns the complete text with which the simulator responds to build_prompt(scenario)."""
    return build_echo(build_prompt(scenario))


def build_echo(text: str) -> str:
    """Returns the complete text with which the simulator responds to a text."""
    return f"Echo: {text} — ¡olé! 👋🏽 你好"


def asking(scenario: str) -> Any:
    """Returns the messages of a scenario."""
    return [{"role": "user", "content": build_prompt(scenario)}]


def showing(scenario: str) -> Any:
    """Returns the messages of a scenario, with an image."""
    text = {"type": "text", "text": build_prompt(scenario)}
    picture = {"type": "image_url", "image_url": {"url": PICTURE_URL}}
    return [{"role": "user", "content": [text, picture]}]


def equal(found: object, expected: object) -> None:
    """Like assert, but its message has both values."""
    if found != expected:
        raise AssertionError(f"expected {expected!r}, got {found!r}")


def has(value: object, **fields: object) -> None:
    """Checks that a value has these attributes. Ignores its other attributes."""
    equal({name: getattr(value, name, None) for name in fields}, fields)


class Raises:
    """Checks that a `with` block raises an exception of the given class. `error` is that exception."""

    error: Any

    def __init__(self, expected: type[BaseException]) -> None:
        self._expected = expected

    def __enter__(self) -> "Raises":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            raise AssertionError(f"expected {self._expected.__name__}, got a response")
        if not isinstance(error, self._expected):
            raise AssertionError(f"expected {self._expected.__name__}, got {describe(error)}") from error
        self.error = error
        return True


def describe(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


Check = Callable[[], Awaitable[None] | None]
_checks: dict[str, Check] = {}
DEADLINE_S = 20


def scenario(name: str) -> Callable[[Check], Check]:
    """Registers a function, async or not, as the check of a scenario."""

    def register(check: Check) -> Check:
        _checks[name] = check
        return check

    return register


def _too_late(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"not finished after {DEADLINE_S} s")


async def _finish(check: Check) -> None:
    pending = check()
    if pending is not None:
        async with asyncio.timeout(DEADLINE_S):
            await pending


async def _run_all() -> None:
    for name, check in _checks.items():
        # The timeout of asyncio cannot interrupt a check that blocks; an alarm can.
        signal.alarm(DEADLINE_S + 1)
        detail = ""
        try:
            await _finish(check)
        except Exception as error:  # The report of the probe names every error.
            detail = describe(error)
        signal.alarm(0)
        print(json.dumps({"scenario": name, "ok": not detail, "detail": detail}), flush=True)


def run() -> None:
    """Runs the registered checks one after another and prints the result of each as a JSON line."""
    signal.signal(signal.SIGALRM, _too_late)
    asyncio.run(_run_all())

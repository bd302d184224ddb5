"""What the probes for Python share: the questions, the answers they must bring, and one JSON line per scenario."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
#: Tells this run's requests from those of other probes.
RUN_ID = os.environ["RUN_ID"]
WRONG_KEY = "sk-not-a-key-of-this-gateway"

PLAIN = "openai/gpt-4o-mini"
#: Streams in writes of 7 bytes, which end in the middle of events and of characters.
STREAMED = "sim/ok:events=12,split=7"
#: Streams for 20 seconds.
SLOW = "sim/ok:events=400,gapMs=50"
#: Breaks off in the middle of a stream, between two events.
CUT = "sim/cut"
#: What the gateway says of such a stream.
WHY_CUT = "OpenRouter closed the connection before its response was complete"
#: Never answers.
SILENT = "sim/hang"
#: Answers 429 once, with a second to wait, and then as usual.
BUSY_ONCE = f"sim/flaky:times=1,status=429,retryAfter=1,id={RUN_ID}"
#: Lets a client give up long before SILENT answers.
TIMEOUT_S = 0.7

#: A picture of one pixel.
PICTURE_URL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

#: Any text of the simulator's.
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
#: What every answer of {city: string, celsius: integer} is.
REPORT = {"city": CITY, "celsius": 1}


def failing(status: int) -> str:
    """The model that answers with OpenRouter's error of a status."""
    return f"sim/error:status={status}"


def build_prompt(scenario: str) -> str:
    """What a scenario asks; the matrix finds the request upstream by it."""
    return f"Ahoj from {RUN_ID}: {scenario}."


def build_reply(scenario: str) -> str:
    """The whole answer to build_prompt(scenario)."""
    return f"Echo: {build_prompt(scenario)} — ¡olé! 👋🏽 你好"


def asking(scenario: str) -> Any:
    """The messages of a scenario."""
    return [{"role": "user", "content": build_prompt(scenario)}]


def showing(scenario: str) -> Any:
    """The messages of a scenario, with a picture."""
    text = {"type": "text", "text": build_prompt(scenario)}
    picture = {"type": "image_url", "image_url": {"url": PICTURE_URL}}
    return [{"role": "user", "content": [text, picture]}]


def equal(found: object, expected: object) -> None:
    """Like assert, but says what came."""
    if found != expected:
        raise AssertionError(f"expected {expected!r}, came {found!r}")


def has(value: object, **fields: object) -> None:
    """Checks some of a value's attributes."""
    equal({name: getattr(value, name, None) for name in fields}, fields)


class Raises:
    """A `with` block that must end in an exception of the given class; `error` is that exception."""

    error: Any

    def __init__(self, expected: type[BaseException]) -> None:
        self._expected = expected

    def __enter__(self) -> "Raises":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            raise AssertionError(f"expected {self._expected.__name__}, came an answer")
        if not isinstance(error, self._expected):
            raise AssertionError(f"expected {self._expected.__name__}, came {describe(error)}") from error
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
    raise TimeoutError(f"no end after {DEADLINE_S} s")


async def _finish(check: Check) -> None:
    pending = check()
    if pending is not None:
        async with asyncio.timeout(DEADLINE_S):
            await pending


async def _run_all() -> None:
    for name, check in _checks.items():
        # For checks that block: an alarm interrupts those, too.
        signal.alarm(DEADLINE_S + 1)
        detail = ""
        try:
            await _finish(check)
        except Exception as error:  # The report of the probe names every error.
            detail = describe(error)
        signal.alarm(0)
        print(json.dumps({"scenario": name, "ok": not detail, "detail": detail}), flush=True)


def run() -> None:
    """Runs the registered checks one after the other and says how each went."""
    signal.signal(signal.SIGALRM, _too_late)
    asyncio.run(_run_all())

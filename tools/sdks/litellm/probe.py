"""Probe of LiteLLM's client, in which the model prefix `openai/` selects OpenAI-compatible services."""

import json
import os
from typing import Any

# Otherwise LiteLLM fetches its list of prices from the Internet when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import harness as probe  # noqa: E402
import litellm  # noqa: E402
from litellm.exceptions import MidStreamFallbackError  # noqa: E402
from pydantic import BaseModel  # noqa: E402

litellm.suppress_debug_info = True


class Report(BaseModel):
    city: str
    celsius: int


def ask(scenario: str, model: str, provider: str = "openai", **more: Any) -> Any:
    options = {"api_base": probe.BASE_URL, "api_key": probe.API_KEY, "max_retries": 0} | more
    messages = options.pop("messages", probe.asking(scenario))
    return litellm.completion(model=f"{provider}/{model}", messages=messages, **options)


def check_tool_call(message: Any) -> None:
    function = message.tool_calls[0].function
    probe.equal(function.name, probe.TOOL_NAME)
    probe.equal(json.loads(function.arguments), {"city": probe.CITY})


@probe.scenario("chat")
def chat() -> None:
    answer = ask("chat", probe.PLAIN)
    probe.equal(answer.choices[0].message.content, probe.build_reply("chat"))
    probe.equal(answer.choices[0].finish_reason, "stop")
    assert answer.usage.total_tokens > 0


@probe.scenario("stream")
def stream() -> None:
    text = "".join(chunk.choices[0].delta.content or "" for chunk in ask("stream", probe.STREAMED, stream=True))
    probe.equal(text, ask("stream", probe.PLAIN).choices[0].message.content)
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("tools")
def tools() -> None:
    answer = ask("tools", probe.PLAIN, tools=[probe.TOOL])
    probe.equal(answer.choices[0].finish_reason, "tool_calls")
    check_tool_call(answer.choices[0].message)


@probe.scenario("tools streamed")
def tools_streamed() -> None:
    chunks = list(ask("tools streamed", probe.STREAMED, tools=[probe.TOOL], stream=True))
    answer: Any = litellm.stream_chunk_builder(chunks)
    check_tool_call(answer.choices[0].message)


@probe.scenario("structured output")
def structured_output() -> None:
    answer = ask("structured output", probe.PLAIN, response_format=Report)
    probe.equal(Report.model_validate_json(answer.choices[0].message.content), Report(**probe.REPORT))


@probe.scenario("image input")
def image_input() -> None:
    answer = ask("image input", probe.PLAIN, messages=probe.showing("image input"))
    probe.equal(answer.choices[0].message.content, probe.build_reply("image input"))


@probe.scenario("401")
def wrong_key() -> None:
    with probe.Raises(litellm.AuthenticationError) as caught:
        ask("401", probe.PLAIN, api_key=probe.WRONG_KEY)
    probe.has(caught.error, status_code=401)
    assert "The API key of the request" in caught.error.message


@probe.scenario("400")
def wrong_request() -> None:
    with probe.Raises(litellm.BadRequestError) as caught:
        ask("400", probe.PLAIN, temperature=3)
    probe.has(caught.error, status_code=400)
    assert "temperature must be" in caught.error.message


@probe.scenario("404")
def unknown_model() -> None:
    with probe.Raises(litellm.NotFoundError) as caught:
        ask("404", probe.failing(404))
    probe.has(caught.error, status_code=404)


@probe.scenario("429")
def limit() -> None:
    with probe.Raises(litellm.RateLimitError) as caught:
        ask("429", probe.failing(429))
    probe.has(caught.error, status_code=429)
    assert "Rate limit exceeded" in caught.error.message


@probe.scenario("500")
def upstream_failure() -> None:
    with probe.Raises(litellm.InternalServerError) as caught:
        ask("500", probe.failing(500))
    probe.has(caught.error, status_code=500)


@probe.scenario("cut stream")
def cut_stream() -> None:
    # The provider `openrouter` is tested too, because it uses the code of an error in a stream as a status.
    for provider in ("openai", "openrouter"):
        with probe.Raises(MidStreamFallbackError) as caught:
            for _ in ask("cut stream", probe.CUT, provider, stream=True):
                pass
        assert probe.WHY_CUT in caught.error.message, caught.error.message


@probe.scenario("cancel")
def cancel() -> None:
    chunks = ask("cancel", probe.SLOW, stream=True)
    for _ in range(3):
        next(chunks)
    # LiteLLM's stream has no close method; the stream of OpenAI's SDK that it wraps has one.
    chunks.completion_stream.close()


@probe.scenario("timeout")
def timeout() -> None:
    with probe.Raises(litellm.Timeout):
        ask("timeout", probe.SILENT, timeout=probe.TIMEOUT_S)


@probe.scenario("retry after 429")
def retry_after_429() -> None:
    answer = ask("retry after 429", probe.BUSY_ONCE, max_retries=2)
    probe.equal(answer.choices[0].message.content, probe.build_reply("retry after 429"))


probe.run()

"""Probe of the blocking client of Anthropic's official SDK for Python."""

from typing import Any

import anthropic
import checks
import harness as probe
from anthropic.types import Message

client = anthropic.Anthropic(**checks.CLIENT)


def ask(scenario: str, model: str, **more: Any) -> Message:
    return client.messages.create(**checks.build_request(scenario, model, **more))


@probe.scenario("chat")
def chat() -> None:
    checks.check_chat(ask("chat", probe.PLAIN))


@probe.scenario("stream")
def stream() -> None:
    events = client.messages.create(**checks.build_request("stream", probe.STREAMED), stream=True)
    text = "".join(checks.read_delta(event) for event in events)
    probe.equal(text, checks.read_text(ask("stream", probe.PLAIN)))
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("stream helper")
def stream_helper() -> None:
    with client.messages.stream(**checks.build_request("stream helper", probe.STREAMED)) as helper:
        text = "".join(helper.text_stream)
        message = helper.get_final_message()
    probe.equal(text, probe.build_reply("stream helper"))
    probe.equal(checks.read_text(message), text)


@probe.scenario("tools")
def tools() -> None:
    asked = ask("tools", probe.PLAIN, tools=[checks.TOOL])
    answer = client.messages.create(**checks.build_result_request("tools", asked))
    probe.equal(checks.read_text(answer), probe.build_echo(probe.TOOL_RESULT))


@probe.scenario("tools streamed")
def tools_streamed() -> None:
    request = checks.build_request("tools streamed", probe.STREAMED, tools=[checks.TOOL])
    with client.messages.stream(**request) as helper:
        asked = helper.get_final_message()
    answer = client.messages.create(**checks.build_result_request("tools streamed", asked))
    probe.equal(checks.read_text(answer), probe.build_echo(probe.TOOL_RESULT))


@probe.scenario("tool runner")
def tool_runner() -> None:
    cities: list[str] = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        cities.append(city)
        return probe.TOOL_RESULT

    request = checks.build_request("tool runner", probe.PLAIN)
    message = client.beta.messages.tool_runner(**request, tools=[get_weather], thread=False).until_done()
    probe.equal(checks.read_text(message), probe.build_echo(probe.TOOL_RESULT))
    checks.check_cities(cities)


@probe.scenario("structured output")
def structured_output() -> None:
    request = checks.build_request("structured output", probe.PLAIN)
    message = client.messages.parse(**request, output_format=checks.Report)
    probe.equal(message.parsed_output, checks.Report(**probe.REPORT))


@probe.scenario("image input")
def image_input() -> None:
    message = client.messages.create(**checks.build_picture_request("image input"))
    probe.equal(checks.read_text(message), probe.build_reply("image input"))


@probe.scenario("models list")
def models_list() -> None:
    assert probe.PLAIN in [model.id for model in client.models.list()]


@probe.scenario("model retrieve")
def model_retrieve() -> None:
    for name in (probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"):
        probe.has(client.models.retrieve(name), id=name)


@probe.scenario("cancel")
def cancel() -> None:
    with client.messages.create(**checks.build_request("cancel", probe.SLOW), stream=True) as events:
        for _ in range(5):
            next(events)


@probe.scenario("abort")
def abort() -> None:
    with client.messages.stream(**checks.build_request("abort", probe.SLOW)) as helper:
        next(helper.text_stream)


@probe.scenario("timeout")
def timeout() -> None:
    with probe.Raises(anthropic.APITimeoutError):
        ask("timeout", probe.SILENT, timeout=probe.TIMEOUT_S)


@probe.scenario("retry after 429")
def retry_after_429() -> None:
    request = checks.build_request("retry after 429", probe.BUSY_ONCE)
    message = client.with_options(max_retries=2).messages.create(**request)
    probe.equal(checks.read_text(message), probe.build_reply("retry after 429"))


@probe.scenario("401")
def wrong_key() -> None:
    with probe.Raises(anthropic.AuthenticationError) as caught:
        client.with_options(api_key=probe.WRONG_KEY).messages.create(**checks.build_request("401", probe.PLAIN))
    checks.check_error(caught.error, 401, "authentication_error", "key")


@probe.scenario("400")
def wrong_request() -> None:
    with probe.Raises(anthropic.BadRequestError) as caught:
        ask("400", probe.PLAIN, max_tokens=-1)
    checks.check_error(caught.error, 400, "invalid_request_error", "max_tokens must be")


@probe.scenario("404")
def unknown_model() -> None:
    with probe.Raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("openai/no-such-model")
    assert "model does not exist" in caught.error.api_message


@probe.scenario("413")
def large_request() -> None:
    with probe.Raises(anthropic.ContentTooLargeError) as caught:
        client.messages.create(**checks.build_large_request("413"))
    checks.check_error(caught.error, 413, "request_too_large")


@probe.scenario("429")
def limit() -> None:
    with probe.Raises(anthropic.RateLimitError) as caught:
        ask("429", probe.failing(429))
    checks.check_error(caught.error, 429, "rate_limit_error", "Rate limit exceeded")


@probe.scenario("500")
def upstream_failure() -> None:
    with probe.Raises(anthropic.InternalServerError) as caught:
        ask("500", probe.failing(500))
    checks.check_error(caught.error, 500, "api_error", "Internal Server Error")


@probe.scenario("other errors")
def other_errors() -> None:
    for status, expected, kind in checks.OTHER_ERRORS:
        with probe.Raises(expected) as caught:
            ask("other errors", probe.failing(status))
        probe.equal(type(caught.error), expected)
        checks.check_error(caught.error, status, kind)


@probe.scenario("cut stream")
def cut_stream() -> None:
    request = checks.build_request("cut stream", probe.CUT)
    with probe.Raises(anthropic.APIError) as caught:
        list(client.messages.create(**request, stream=True))
    checks.check_cut(caught.error)
    with probe.Raises(anthropic.APIError) as caught, client.messages.stream(**request) as helper:
        helper.get_final_message()
    checks.check_cut(caught.error)


probe.run()

"""The official SDK of OpenAI for Python, its blocking client; the same program for the old version and the new one."""

import json
from typing import Any

import harness as probe
import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from pydantic import BaseModel

client = openai.OpenAI(base_url=probe.BASE_URL, api_key=probe.API_KEY, max_retries=0)


class Report(BaseModel):
    city: str
    celsius: int


def ask(scenario: str, model: str, **more: Any) -> ChatCompletion:
    return client.chat.completions.create(model=model, messages=probe.asking(scenario), **more)


def check_tool_call(message: ChatCompletionMessage) -> None:
    assert message.tool_calls
    function: Any = message.tool_calls[0].function  # type: ignore[union-attr]
    probe.equal(function.name, probe.TOOL_NAME)
    probe.equal(json.loads(function.arguments), {"city": probe.CITY})


@probe.scenario("chat")
def chat() -> None:
    answer = ask("chat", probe.PLAIN)
    probe.equal(answer.choices[0].message.content, probe.answer_to("chat"))
    probe.equal(answer.choices[0].finish_reason, "stop")
    assert answer.usage and answer.usage.total_tokens > 0


@probe.scenario("stream")
def stream() -> None:
    chunks = client.chat.completions.create(model=probe.STREAMED, messages=probe.asking("stream"), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    probe.equal(text, ask("stream", probe.PLAIN).choices[0].message.content)
    probe.equal(text, probe.answer_to("stream"))


@probe.scenario("tools")
def tools() -> None:
    answer = ask("tools", probe.PLAIN, tools=[probe.TOOL])
    probe.equal(answer.choices[0].finish_reason, "tool_calls")
    check_tool_call(answer.choices[0].message)


@probe.scenario("tools streamed")
def tools_streamed() -> None:
    messages = probe.asking("tools streamed")
    with client.chat.completions.stream(model=probe.STREAMED, messages=messages, tools=[probe.TOOL]) as events:
        answer = events.get_final_completion()
    check_tool_call(answer.choices[0].message)


@probe.scenario("structured output")
def structured_output() -> None:
    messages = probe.asking("structured output")
    answer = client.chat.completions.parse(model=probe.PLAIN, messages=messages, response_format=Report)
    probe.equal(answer.choices[0].message.parsed, Report(**probe.REPORT))


@probe.scenario("image input")
def image_input() -> None:
    answer = client.chat.completions.create(model=probe.PLAIN, messages=probe.showing("image input"))
    probe.equal(answer.choices[0].message.content, probe.answer_to("image input"))


@probe.scenario("models list")
def models_list() -> None:
    assert probe.PLAIN in [model.id for model in client.models.list()]


@probe.scenario("model retrieve")
def model_retrieve() -> None:
    for name in (probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"):
        probe.has(client.models.retrieve(name), id=name, object="model", owned_by=name.split("/")[0])


@probe.scenario("401")
def wrong_key() -> None:
    with probe.Raises(openai.AuthenticationError) as caught:
        client.with_options(api_key=probe.WRONG_KEY).models.list()
    probe.has(caught.error, status_code=401, code="invalid_api_key", type="authentication_error")
    assert caught.error.request_id


@probe.scenario("400")
def wrong_request() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        ask("400", probe.PLAIN, temperature=3)
    probe.has(caught.error, status_code=400, code="invalid_value", param="temperature")


@probe.scenario("404")
def unknown_model() -> None:
    with probe.Raises(openai.NotFoundError) as caught:
        client.models.retrieve("openai/no-such-model")
    probe.has(caught.error, status_code=404, code="model_not_found", param="model")


@probe.scenario("429")
def limit() -> None:
    with probe.Raises(openai.RateLimitError) as caught:
        ask("429", probe.failing(429))
    probe.has(caught.error, status_code=429)
    # A number before version 3 of the SDK.
    probe.equal(str(caught.error.code), "429")
    assert "Rate limit exceeded" in caught.error.message


@probe.scenario("500")
def upstream_failure() -> None:
    with probe.Raises(openai.InternalServerError) as caught:
        ask("500", probe.failing(500))
    probe.has(caught.error, status_code=500)
    # A number before version 3 of the SDK.
    probe.equal(str(caught.error.code), "500")


@probe.scenario("cancel")
def cancel() -> None:
    with client.chat.completions.create(
        model=probe.SLOW, messages=probe.asking("cancel"), stream=True
    ) as chunks:
        for _ in range(3):
            next(chunks)


@probe.scenario("timeout")
def timeout() -> None:
    with probe.Raises(openai.APITimeoutError):
        ask("timeout", probe.SILENT, timeout=probe.TIMEOUT_S)


@probe.scenario("retry after 429")
def retry_after_429() -> None:
    answer = client.with_options(max_retries=2).chat.completions.create(
        model=probe.BUSY_ONCE, messages=probe.asking("retry after 429")
    )
    probe.equal(answer.choices[0].message.content, probe.answer_to("retry after 429"))


probe.run()

"""Probe of the blocking client of OpenAI's official SDK for Python; the old and the new version run the same program."""

from typing import Any

import checks
import harness as probe
import openai
import sync_endpoints  # noqa: F401 (registers its scenarios)
from openai.types.chat import ChatCompletion

client = openai.OpenAI(base_url=probe.BASE_URL, api_key=probe.API_KEY, max_retries=0)


def ask(scenario: str, model: str, **more: Any) -> ChatCompletion:
    return client.chat.completions.create(model=model, messages=probe.asking(scenario), **more)


@probe.scenario("chat")
def chat() -> None:
    checks.check_chat(ask("chat", probe.PLAIN))


@probe.scenario("stream")
def stream() -> None:
    chunks = client.chat.completions.create(model=probe.STREAMED, messages=probe.asking("stream"), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    probe.equal(text, ask("stream", probe.PLAIN).choices[0].message.content)
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("tools")
def tools() -> None:
    completion = ask("tools", probe.PLAIN, tools=[probe.TOOL])
    probe.equal(completion.choices[0].finish_reason, "tool_calls")
    checks.check_tool_call(completion.choices[0].message)


@probe.scenario("tools streamed")
def tools_streamed() -> None:
    messages = probe.asking("tools streamed")
    with client.chat.completions.stream(model=probe.STREAMED, messages=messages, tools=[probe.TOOL]) as events:
        completion = events.get_final_completion()
    checks.check_tool_call(completion.choices[0].message)


@probe.scenario("structured output")
def structured_output() -> None:
    messages = probe.asking("structured output")
    completion = client.chat.completions.parse(model=probe.PLAIN, messages=messages, response_format=checks.Report)
    probe.equal(completion.choices[0].message.parsed, checks.Report(**probe.REPORT))


@probe.scenario("image input")
def image_input() -> None:
    completion = client.chat.completions.create(model=probe.PLAIN, messages=probe.showing("image input"))
    probe.equal(completion.choices[0].message.content, probe.build_reply("image input"))


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
    checks.check_wrong_key(caught.error)


@probe.scenario("400")
def wrong_request() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        ask("400", probe.PLAIN, temperature=3)
    checks.check_wrong_request(caught.error)


@probe.scenario("404")
def unknown_model() -> None:
    with probe.Raises(openai.NotFoundError) as caught:
        client.models.retrieve("openai/no-such-model")
    checks.check_unknown_model(caught.error)


@probe.scenario("429")
def limit() -> None:
    with probe.Raises(openai.RateLimitError) as caught:
        ask("429", probe.failing(429))
    checks.check_limit(caught.error)


@probe.scenario("500")
def upstream_failure() -> None:
    with probe.Raises(openai.InternalServerError) as caught:
        ask("500", probe.failing(500))
    checks.check_upstream_failure(caught.error)


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
    completion = client.with_options(max_retries=2).chat.completions.create(
        model=probe.BUSY_ONCE, messages=probe.asking("retry after 429")
    )
    probe.equal(completion.choices[0].message.content, probe.build_reply("retry after 429"))


probe.run()

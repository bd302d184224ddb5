"""Probe of the asynchronous client of OpenAI's official SDK for Python; the old and the new version run the same program."""

from typing import Any

import asynchronous_endpoints  # noqa: F401 (registers its scenarios)
import checks
import harness as probe
import openai
from openai.types.chat import ChatCompletion

client = openai.AsyncOpenAI(base_url=probe.BASE_URL, api_key=probe.API_KEY, max_retries=0)


async def ask(scenario: str, model: str, **more: Any) -> ChatCompletion:
    return await client.chat.completions.create(model=model, messages=probe.asking(scenario), **more)


@probe.scenario("chat")
async def chat() -> None:
    checks.check_chat(await ask("chat", probe.PLAIN))


@probe.scenario("stream")
async def stream() -> None:
    chunks = await client.chat.completions.create(model=probe.STREAMED, messages=probe.asking("stream"), stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    probe.equal(text, (await ask("stream", probe.PLAIN)).choices[0].message.content)
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("tools")
async def tools() -> None:
    completion = await ask("tools", probe.PLAIN, tools=[probe.TOOL])
    probe.equal(completion.choices[0].finish_reason, "tool_calls")
    checks.check_tool_call(completion.choices[0].message)


@probe.scenario("tools streamed")
async def tools_streamed() -> None:
    messages = probe.asking("tools streamed")
    async with client.chat.completions.stream(model=probe.STREAMED, messages=messages, tools=[probe.TOOL]) as events:
        completion = await events.get_final_completion()
    checks.check_tool_call(completion.choices[0].message)


@probe.scenario("structured output")
async def structured_output() -> None:
    messages = probe.asking("structured output")
    completion = await client.chat.completions.parse(model=probe.PLAIN, messages=messages, response_format=checks.Report)
    probe.equal(completion.choices[0].message.parsed, checks.Report(**probe.REPORT))


@probe.scenario("image input")
async def image_input() -> None:
    completion = await client.chat.completions.create(model=probe.PLAIN, messages=probe.showing("image input"))
    probe.equal(completion.choices[0].message.content, probe.build_reply("image input"))


@probe.scenario("models list")
async def models_list() -> None:
    assert probe.PLAIN in [model.id async for model in client.models.list()]


@probe.scenario("model retrieve")
async def model_retrieve() -> None:
    for name in (probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"):
        probe.has(await client.models.retrieve(name), id=name, object="model", owned_by=name.split("/")[0])


@probe.scenario("401")
async def wrong_key() -> None:
    with probe.Raises(openai.AuthenticationError) as caught:
        await client.with_options(api_key=probe.WRONG_KEY).models.list()
    checks.check_wrong_key(caught.error)


@probe.scenario("400")
async def wrong_request() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        await ask("400", probe.PLAIN, temperature=3)
    checks.check_wrong_request(caught.error)


@probe.scenario("404")
async def unknown_model() -> None:
    with probe.Raises(openai.NotFoundError) as caught:
        await client.models.retrieve("openai/no-such-model")
    checks.check_unknown_model(caught.error)


@probe.scenario("429")
async def limit() -> None:
    with probe.Raises(openai.RateLimitError) as caught:
        await ask("429", probe.failing(429))
    checks.check_limit(caught.error)


@probe.scenario("500")
async def upstream_failure() -> None:
    with probe.Raises(openai.InternalServerError) as caught:
        await ask("500", probe.failing(500))
    checks.check_upstream_failure(caught.error)


@probe.scenario("cancel")
async def cancel() -> None:
    async with await client.chat.completions.create(
        model=probe.SLOW, messages=probe.asking("cancel"), stream=True
    ) as chunks:
        for _ in range(3):
            await anext(chunks)


@probe.scenario("timeout")
async def timeout() -> None:
    with probe.Raises(openai.APITimeoutError):
        await ask("timeout", probe.SILENT, timeout=probe.TIMEOUT_S)


@probe.scenario("retry after 429")
async def retry_after_429() -> None:
    completion = await client.with_options(max_retries=2).chat.completions.create(
        model=probe.BUSY_ONCE, messages=probe.asking("retry after 429")
    )
    probe.equal(completion.choices[0].message.content, probe.build_reply("retry after 429"))


probe.run()

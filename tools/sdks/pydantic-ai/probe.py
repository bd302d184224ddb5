"""Probe of pydantic-ai with its model for OpenRouter, which reads OpenRouter's own fields and errors."""

import base64
from typing import Any

import harness as probe
import openai
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.providers.openrouter import OpenRouterProvider


class Report(BaseModel):
    city: str
    celsius: int


def model(name: str, **more: Any) -> OpenRouterModel:
    options: dict[str, Any] = {"base_url": probe.BASE_URL, "api_key": probe.API_KEY, "max_retries": 0}
    return OpenRouterModel(name, provider=OpenRouterProvider(openai_client=openai.AsyncOpenAI(**(options | more))))


async def ask(scenario: str, name: str, settings: Any = None, **more: Any) -> Any:
    return await Agent(model(name, **more), model_settings=settings).run(probe.build_prompt(scenario))


async def streamed(scenario: str, name: str) -> str:
    async with Agent(model(name)).run_stream(probe.build_prompt(scenario)) as answer:
        return "".join([text async for text in answer.stream_text(delta=True)])


class Called(Exception):
    """Ends the run when the tool is called: the simulator would call it again without end."""


async def expect_tool_call(scenario: str, name: str, stream: bool) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> str:
        cities.append(city)
        raise Called

    agent = Agent(model(name), tools=[get_weather])
    with probe.Raises(Called):
        if stream:
            async with agent.run_stream(probe.build_prompt(scenario)) as answer:
                await answer.get_output()
        else:
            await agent.run(probe.build_prompt(scenario))
    probe.equal(cities, [probe.CITY])


@probe.scenario("chat")
async def chat() -> None:
    answer = await ask("chat", probe.PLAIN)
    probe.equal(answer.output, probe.build_reply("chat"))


@probe.scenario("stream")
async def stream() -> None:
    text = await streamed("stream", probe.STREAMED)
    probe.equal(text, (await ask("stream", probe.PLAIN)).output)
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("tools")
async def tools() -> None:
    await expect_tool_call("tools", probe.PLAIN, stream=False)


@probe.scenario("tools streamed")
async def tools_streamed() -> None:
    await expect_tool_call("tools streamed", probe.STREAMED, stream=True)


@probe.scenario("structured output")
async def structured_output() -> None:
    agent = Agent(model(probe.PLAIN), output_type=NativeOutput(Report))
    answer = await agent.run(probe.build_prompt("structured output"))
    probe.equal(answer.output, Report(**probe.REPORT))


@probe.scenario("image input")
async def image_input() -> None:
    picture = base64.b64decode(probe.PICTURE_URL.partition(",")[2])
    prompt = [probe.build_prompt("image input"), BinaryContent(data=picture, media_type="image/png")]
    answer = await Agent(model(probe.PLAIN)).run(prompt)
    probe.equal(answer.output, probe.build_reply("image input"))


@probe.scenario("401")
async def wrong_key() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await ask("401", probe.PLAIN, api_key=probe.WRONG_KEY)
    probe.has(caught.error, status_code=401)


@probe.scenario("400")
async def wrong_request() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await ask("400", probe.PLAIN, {"temperature": 3})
    probe.has(caught.error, status_code=400)
    assert "temperature must be" in str(caught.error)


@probe.scenario("404")
async def unknown_model() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await ask("404", probe.failing(404))
    probe.has(caught.error, status_code=404)


@probe.scenario("429")
async def limit() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await ask("429", probe.failing(429))
    probe.has(caught.error, status_code=429)


@probe.scenario("500")
async def upstream_failure() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await ask("500", probe.failing(500))
    probe.has(caught.error, status_code=500)


@probe.scenario("cut stream")
async def cut_stream() -> None:
    with probe.Raises(ModelHTTPError) as caught:
        await streamed("cut stream", probe.CUT)
    probe.has(caught.error, status_code=502)
    assert probe.WHY_CUT in str(caught.error), str(caught.error)


@probe.scenario("cancel")
async def cancel() -> None:
    async with Agent(model(probe.SLOW)).run_stream(probe.build_prompt("cancel")) as answer:
        async for _ in answer.stream_text(delta=True):
            break


@probe.scenario("timeout")
async def timeout() -> None:
    with probe.Raises(ModelAPIError) as caught:
        await ask("timeout", probe.SILENT, timeout=probe.TIMEOUT_S)
    probe.equal(type(caught.error.__cause__), openai.APITimeoutError)


@probe.scenario("retry after 429")
async def retry_after_429() -> None:
    answer = await ask("retry after 429", probe.BUSY_ONCE, max_retries=2)
    probe.equal(answer.output, probe.build_reply("retry after 429"))


probe.run()

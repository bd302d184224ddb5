"""Probe of LangChain for Python, which raises most errors of OpenAI's SDK unchanged."""

from typing import Any

import harness as probe
import openai
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Report(BaseModel):
    city: str
    celsius: int


def model(name: str, **more: Any) -> ChatOpenAI:
    options: dict[str, Any] = {"base_url": probe.BASE_URL, "api_key": probe.API_KEY, "max_retries": 0}
    return ChatOpenAI(model=name, **(options | more))


def check_tool_call(message: AIMessage | AIMessageChunk) -> None:
    call = message.tool_calls[0]
    probe.equal((call["name"], call["args"]), (probe.TOOL_NAME, {"city": probe.CITY}))


@probe.scenario("chat")
def chat() -> None:
    answer = model(probe.PLAIN).invoke(probe.build_prompt("chat"))
    probe.equal(answer.content, probe.build_reply("chat"))
    assert answer.usage_metadata and answer.usage_metadata["total_tokens"] > 0


@probe.scenario("stream")
def stream() -> None:
    chunks = model(probe.STREAMED).stream(probe.build_prompt("stream"))
    text = "".join(str(chunk.content) for chunk in chunks)
    probe.equal(text, model(probe.PLAIN).invoke(probe.build_prompt("stream")).content)
    probe.equal(text, probe.build_reply("stream"))


@probe.scenario("tools")
def tools() -> None:
    check_tool_call(model(probe.PLAIN).bind_tools([probe.TOOL]).invoke(probe.build_prompt("tools")))


@probe.scenario("tools streamed")
def tools_streamed() -> None:
    chunks = model(probe.STREAMED).bind_tools([probe.TOOL]).stream(probe.build_prompt("tools streamed"))
    whole: Any = next(chunks)
    for chunk in chunks:
        whole += chunk
    check_tool_call(whole)


@probe.scenario("structured output")
def structured_output() -> None:
    asked = model(probe.PLAIN).with_structured_output(Report, method="json_schema")
    probe.equal(asked.invoke(probe.build_prompt("structured output")), Report(**probe.REPORT))


@probe.scenario("image input")
def image_input() -> None:
    answer = model(probe.PLAIN).invoke(probe.showing("image input"))
    probe.equal(answer.content, probe.build_reply("image input"))


@probe.scenario("401")
def wrong_key() -> None:
    with probe.Raises(openai.AuthenticationError) as caught:
        model(probe.PLAIN, api_key=probe.WRONG_KEY).invoke(probe.build_prompt("401"))
    probe.has(caught.error, status_code=401, code="invalid_api_key")


@probe.scenario("400")
def wrong_request() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        model(probe.PLAIN, temperature=3).invoke(probe.build_prompt("400"))
    probe.has(caught.error, status_code=400, code="invalid_value", param="temperature")


@probe.scenario("404")
def unknown_model() -> None:
    with probe.Raises(openai.NotFoundError) as caught:
        model(probe.failing(404)).invoke(probe.build_prompt("404"))
    probe.has(caught.error, status_code=404)
    probe.equal(str(caught.error.code), "404")


@probe.scenario("429")
def limit() -> None:
    with probe.Raises(openai.RateLimitError) as caught:
        model(probe.failing(429)).invoke(probe.build_prompt("429"))
    probe.has(caught.error, status_code=429)
    probe.equal(str(caught.error.code), "429")


@probe.scenario("500")
def upstream_failure() -> None:
    with probe.Raises(openai.InternalServerError) as caught:
        model(probe.failing(500)).invoke(probe.build_prompt("500"))
    probe.has(caught.error, status_code=500)
    probe.equal(str(caught.error.code), "500")


@probe.scenario("cancel")
def cancel() -> None:
    chunks: Any = model(probe.SLOW).stream(probe.build_prompt("cancel"))
    for _ in range(3):
        next(chunks)
    chunks.close()


@probe.scenario("timeout")
def timeout() -> None:
    with probe.Raises(openai.APITimeoutError):
        model(probe.SILENT, timeout=probe.TIMEOUT_S).invoke(probe.build_prompt("timeout"))


@probe.scenario("retry after 429")
def retry_after_429() -> None:
    answer = model(probe.BUSY_ONCE, max_retries=2).invoke(probe.build_prompt("retry after 429"))
    probe.equal(answer.content, probe.build_reply("retry after 429"))


probe.run()

"""Requests and checks that the probes of the blocking and of the asynchronous client share."""

from typing import Any

import anthropic
import harness as probe
from anthropic.types import Message, ToolUseBlock
from pydantic import BaseModel

#: The arguments of every client. It retries only with another `max_retries`.
CLIENT: Any = {"base_url": probe.BASE_URL, "api_key": probe.API_KEY, "max_retries": 0}

TOOL: Any = {"name": probe.TOOL_NAME, "input_schema": probe.TOOL["function"]["parameters"]}

#: The SDK's classes for errors that OpenRouter returns.
OTHER_ERRORS: tuple[tuple[int, type[anthropic.APIStatusError], str], ...] = (
    (402, anthropic.PaymentRequiredError, "billing_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (408, anthropic.RequestTimeoutError, "timeout_error"),
    (412, anthropic.PreconditionFailedError, "invalid_request_error"),
    (413, anthropic.ContentTooLargeError, "request_too_large"),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
    (502, anthropic.InternalServerError, "api_error"),
    (503, anthropic.ServiceUnavailableError, "overloaded_error"),
    (504, anthropic.GatewayTimeoutError, "timeout_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
)


class Report(BaseModel):
    city: str
    celsius: int


def build_request(scenario: str, model: str, **more: Any) -> dict[str, Any]:
    """Returns a request with the prompt of a scenario. The fields of `more` replace those of the request."""
    return {"model": model, "max_tokens": 500, "messages": probe.asking(scenario), **more}


def build_picture_request(scenario: str) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": probe.PICTURE_BASE64}
    content = [{"type": "image", "source": source}, {"type": "text", "text": probe.build_prompt(scenario)}]
    return build_request(scenario, probe.PLAIN, messages=[{"role": "user", "content": content}])


def build_result_request(scenario: str, asked: Message) -> dict[str, Any]:
    """Checks the tool call in a message, and returns the request with the tool's result."""
    result = {"type": "tool_result", "tool_use_id": _get_tool_use(asked).id, "content": probe.TOOL_RESULT}
    turns = [{"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    return build_request(scenario, probe.PLAIN, messages=probe.asking(scenario) + turns, tools=[TOOL])


def build_large_request(scenario: str) -> dict[str, Any]:
    large = {"role": "user", "content": "x" * probe.TOO_MANY_BYTES}
    return build_request(scenario, probe.PLAIN, messages=[*probe.asking(scenario), large])


def _get_tool_use(message: Message) -> ToolUseBlock:
    probe.equal(message.stop_reason, "tool_use")
    [call] = [block for block in message.content if isinstance(block, ToolUseBlock)]
    probe.has(call, name=probe.TOOL_NAME, input={"city": probe.CITY})
    return call


def read_text(message: Any) -> str:
    """Returns the text of all content blocks."""
    return "".join(getattr(block, "text", "") for block in message.content)


def read_delta(event: Any) -> str:
    """Returns the text in an event of a stream."""
    return event.delta.text if event.type == "content_block_delta" else ""


def check_chat(message: Message) -> None:
    probe.equal(read_text(message), probe.build_reply("chat"))
    probe.equal(message.stop_reason, "end_turn")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def check_cities(cities: list[str]) -> None:
    probe.equal(cities, [probe.CITY])


def check_error(error: Any, status: int, kind: str, message: str = "") -> None:
    probe.has(error, status_code=status, type=kind)
    assert message in error.api_message, error.api_message


def check_cut(error: Any) -> None:
    assert probe.WHY_CUT in error.message, error.message

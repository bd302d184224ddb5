"""Checks of results and errors, which the probes of the blocking and of the asynchronous client share."""

import json
from typing import Any

import harness as probe
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from pydantic import BaseModel


class Report(BaseModel):
    city: str
    celsius: int


def check_chat(completion: ChatCompletion) -> None:
    probe.equal(completion.choices[0].message.content, probe.build_reply("chat"))
    probe.equal(completion.choices[0].finish_reason, "stop")
    assert completion.usage and completion.usage.total_tokens > 0


def check_tool_call(message: ChatCompletionMessage) -> None:
    assert message.tool_calls
    function: Any = message.tool_calls[0].function  # type: ignore[union-attr]
    probe.equal(function.name, probe.TOOL_NAME)
    probe.equal(json.loads(function.arguments), {"city": probe.CITY})


def check_wrong_key(error: Any) -> None:
    probe.has(error, status_code=401, code="invalid_api_key", type="authentication_error")
    assert error.request_id


def check_wrong_request(error: Any) -> None:
    probe.has(error, status_code=400, code="invalid_value", param="temperature")


def check_unknown_model(error: Any) -> None:
    probe.has(error, status_code=404, code="model_not_found", param="model")


def check_limit(error: Any) -> None:
    probe.has(error, status_code=429)
    # A number before version 3 of the SDK.
    probe.equal(str(error.code), "429")
    assert "Rate limit exceeded" in error.message


def check_upstream_failure(error: Any) -> None:
    probe.has(error, status_code=500)
    # A number before version 3 of the SDK.
    probe.equal(str(error.code), "500")

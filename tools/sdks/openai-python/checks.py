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


def response_request(scenario: str, model: str, **more: Any) -> dict[str, Any]:
    """Returns a request of the Responses API. The fields of `more` replace those of the request."""
    return {"model": model, "input": probe.build_prompt(scenario), **more}


#: The tool of the Responses API.
RESPONSE_TOOL: Any = {"type": "function", **probe.TOOL["function"]}


def picture_request(scenario: str) -> dict[str, Any]:
    text = {"type": "input_text", "text": probe.build_prompt(scenario)}
    picture = {"type": "input_image", "image_url": probe.PICTURE_URL, "detail": "auto"}
    return {"model": probe.PLAIN, "input": [{"role": "user", "content": [text, picture]}]}


def result_request(scenario: str, asked: Any) -> dict[str, Any]:
    """Checks the function call in a response, and returns the request with the function's result."""
    [call] = [item for item in asked.output if item.type == "function_call"]
    probe.equal(call.name, probe.TOOL_NAME)
    probe.equal(json.loads(call.arguments), {"city": probe.CITY})
    called = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": probe.TOOL_RESULT}
    items = [*probe.asking(scenario), called, result]
    return {"model": probe.PLAIN, "input": items, "tools": [RESPONSE_TOOL]}


def check_response(response: Any) -> None:
    probe.has(response, output_text=probe.build_reply("response"), status="completed")
    assert response.usage.input_tokens > 0 and response.usage.output_tokens > 0


def embeddings_request(scenario: str) -> dict[str, Any]:
    return {"model": probe.EMBEDDER, "input": [probe.build_prompt(scenario), "second"], "dimensions": 64}


def check_embeddings(packed: Any, numbers: Any) -> None:
    probe.equal([len(item.embedding) for item in packed.data], [64, 64])
    probe.equal([item.embedding for item in packed.data], [item.embedding for item in numbers.data])
    assert packed.usage.total_tokens > 0


def check_cut(error: Any) -> None:
    assert probe.WHY_CUT in error.message, error.message


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

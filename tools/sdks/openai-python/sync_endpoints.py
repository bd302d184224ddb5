"""Scenarios of the Responses API, embeddings and legacy completions with the blocking client."""

import checks
import harness as probe
import openai

client = openai.OpenAI(base_url=probe.BASE_URL, api_key=probe.API_KEY, max_retries=0)


@probe.scenario("response")
def response() -> None:
    checks.check_response(client.responses.create(**checks.response_request("response", probe.PLAIN)))


@probe.scenario("response stream")
def response_stream() -> None:
    events = list(client.responses.create(**checks.response_request("response stream", probe.STREAMED), stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    plain = client.responses.create(**checks.response_request("response stream", probe.PLAIN))
    probe.equal(text, plain.output_text)
    probe.equal(text, probe.build_reply("response stream"))
    probe.equal(events[-1].type, "response.completed")


@probe.scenario("response stream helper")
def response_stream_helper() -> None:
    with client.responses.stream(**checks.response_request("response stream helper", probe.STREAMED)) as helper:
        whole = helper.get_final_response()
    probe.equal(whole.output_text, probe.build_reply("response stream helper"))


@probe.scenario("response parse")
def response_parse() -> None:
    request = checks.response_request("response parse", probe.PLAIN)
    parsed = client.responses.parse(**request, text_format=checks.Report)
    probe.equal(parsed.output_parsed, checks.Report(**probe.REPORT))


@probe.scenario("response tools")
def response_tools() -> None:
    request = checks.response_request("response tools", probe.PLAIN, tools=[checks.RESPONSE_TOOL])
    asked = client.responses.create(**request)
    answer = client.responses.create(**checks.result_request("response tools", asked))
    probe.equal(answer.output_text, probe.build_reply("response tools"))


@probe.scenario("response tools streamed")
def response_tools_streamed() -> None:
    request = checks.response_request("response tools streamed", probe.STREAMED, tools=[checks.RESPONSE_TOOL])
    with client.responses.stream(**request) as helper:
        asked = helper.get_final_response()
    answer = client.responses.create(**checks.result_request("response tools streamed", asked))
    probe.equal(answer.output_text, probe.build_reply("response tools streamed"))


@probe.scenario("response image")
def response_image() -> None:
    answer = client.responses.create(**checks.picture_request("response image"))
    probe.equal(answer.output_text, probe.build_reply("response image"))


@probe.scenario("response errors")
def response_errors() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        client.responses.create(**checks.response_request("response errors", probe.PLAIN, temperature=3))
    checks.check_wrong_request(caught.error)
    with probe.Raises(openai.RateLimitError) as caught:
        client.responses.create(**checks.response_request("response errors", probe.failing(429)))
    checks.check_limit(caught.error)
    with probe.Raises(openai.InternalServerError) as caught:
        client.responses.create(**checks.response_request("response errors", probe.failing(502)))
    probe.has(caught.error, status_code=502)


@probe.scenario("response cancel")
def response_cancel() -> None:
    request = checks.response_request("response cancel", probe.SLOW)
    with client.responses.create(**request, stream=True) as events:
        for _ in range(8):
            next(events)


@probe.scenario("response cut stream")
def response_cut_stream() -> None:
    request = checks.response_request("response cut stream", probe.CUT)
    with probe.Raises(openai.APIError) as caught:
        list(client.responses.create(**request, stream=True))
    checks.check_cut(caught.error)
    with probe.Raises(openai.APIError) as caught:
        with client.responses.stream(**request) as helper:
            helper.get_final_response()
    checks.check_cut(caught.error)


@probe.scenario("embeddings")
def embeddings() -> None:
    # The SDK requests base64 by default.
    packed = client.embeddings.create(**checks.embeddings_request("embeddings"))
    numbers = client.embeddings.create(**checks.embeddings_request("embeddings"), encoding_format="float")
    checks.check_embeddings(packed, numbers)


@probe.scenario("completion")
def completion() -> None:
    answer = client.completions.create(model=probe.PLAIN, prompt=probe.build_prompt("completion"))
    probe.equal(answer.choices[0].text, probe.build_reply("completion"))
    assert answer.usage and answer.usage.total_tokens > 0


@probe.scenario("completion stream")
def completion_stream() -> None:
    prompt = probe.build_prompt("completion stream")
    chunks = client.completions.create(model=probe.STREAMED, prompt=prompt, stream=True)
    text = "".join(chunk.choices[0].text for chunk in chunks)
    probe.equal(text, probe.build_reply("completion stream"))

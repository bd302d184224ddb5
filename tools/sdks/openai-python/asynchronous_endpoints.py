"""Scenarios of the Responses API, embeddings and legacy completions with the asynchronous client."""

import checks
import harness as probe
import openai

client = openai.AsyncOpenAI(base_url=probe.BASE_URL, api_key=probe.API_KEY, max_retries=0)


@probe.scenario("response")
async def response() -> None:
    checks.check_response(await client.responses.create(**checks.response_request("response", probe.PLAIN)))


@probe.scenario("response stream")
async def response_stream() -> None:
    request = checks.response_request("response stream", probe.STREAMED)
    events = [event async for event in await client.responses.create(**request, stream=True)]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    plain = await client.responses.create(**checks.response_request("response stream", probe.PLAIN))
    probe.equal(text, plain.output_text)
    probe.equal(text, probe.build_reply("response stream"))
    probe.equal(events[-1].type, "response.completed")


@probe.scenario("response stream helper")
async def response_stream_helper() -> None:
    async with client.responses.stream(**checks.response_request("response stream helper", probe.STREAMED)) as helper:
        whole = await helper.get_final_response()
    probe.equal(whole.output_text, probe.build_reply("response stream helper"))


@probe.scenario("response parse")
async def response_parse() -> None:
    request = checks.response_request("response parse", probe.PLAIN)
    parsed = await client.responses.parse(**request, text_format=checks.Report)
    probe.equal(parsed.output_parsed, checks.Report(**probe.REPORT))


@probe.scenario("response tools")
async def response_tools() -> None:
    request = checks.response_request("response tools", probe.PLAIN, tools=[checks.RESPONSE_TOOL])
    asked = await client.responses.create(**request)
    answer = await client.responses.create(**checks.result_request("response tools", asked))
    probe.equal(answer.output_text, probe.build_reply("response tools"))


@probe.scenario("response tools streamed")
async def response_tools_streamed() -> None:
    request = checks.response_request("response tools streamed", probe.STREAMED, tools=[checks.RESPONSE_TOOL])
    async with client.responses.stream(**request) as helper:
        asked = await helper.get_final_response()
    answer = await client.responses.create(**checks.result_request("response tools streamed", asked))
    probe.equal(answer.output_text, probe.build_reply("response tools streamed"))


@probe.scenario("response image")
async def response_image() -> None:
    answer = await client.responses.create(**checks.picture_request("response image"))
    probe.equal(answer.output_text, probe.build_reply("response image"))


@probe.scenario("response errors")
async def response_errors() -> None:
    with probe.Raises(openai.BadRequestError) as caught:
        await client.responses.create(**checks.response_request("response errors", probe.PLAIN, temperature=3))
    checks.check_wrong_request(caught.error)
    with probe.Raises(openai.RateLimitError) as caught:
        await client.responses.create(**checks.response_request("response errors", probe.failing(429)))
    checks.check_limit(caught.error)
    with probe.Raises(openai.InternalServerError) as caught:
        await client.responses.create(**checks.response_request("response errors", probe.failing(502)))
    probe.has(caught.error, status_code=502)


@probe.scenario("response cancel")
async def response_cancel() -> None:
    request = checks.response_request("response cancel", probe.SLOW)
    async with await client.responses.create(**request, stream=True) as events:
        for _ in range(8):
            await anext(events)


@probe.scenario("response cut stream")
async def response_cut_stream() -> None:
    request = checks.response_request("response cut stream", probe.CUT)
    with probe.Raises(openai.APIError) as caught:
        [event async for event in await client.responses.create(**request, stream=True)]
    checks.check_cut(caught.error)
    with probe.Raises(openai.APIError) as caught:
        async with client.responses.stream(**request) as helper:
            await helper.get_final_response()
    checks.check_cut(caught.error)


@probe.scenario("embeddings")
async def embeddings() -> None:
    # The SDK requests base64 by default.
    packed = await client.embeddings.create(**checks.embeddings_request("embeddings"))
    numbers = await client.embeddings.create(**checks.embeddings_request("embeddings"), encoding_format="float")
    checks.check_embeddings(packed, numbers)


@probe.scenario("completion")
async def completion() -> None:
    answer = await client.completions.create(model=probe.PLAIN, prompt=probe.build_prompt("completion"))
    probe.equal(answer.choices[0].text, probe.build_reply("completion"))
    assert answer.usage and answer.usage.total_tokens > 0


@probe.scenario("completion stream")
async def completion_stream() -> None:
    prompt = probe.build_prompt("completion stream")
    chunks = await client.completions.create(model=probe.STREAMED, prompt=prompt, stream=True)
    text = "".join([chunk.choices[0].text async for chunk in chunks])
    probe.equal(text, probe.build_reply("completion stream"))

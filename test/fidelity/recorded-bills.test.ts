import type { FastifyReply, FastifyRequest } from "fastify";
import { expect, test } from "vitest";
import { Exchange } from "../../src/http/exchange.ts";
import { Reading } from "../../src/relay/reading.ts";
import type { Answer } from "../fixtures/replay.ts";
import { recordedAnswers } from "./recordings.ts";

/** What the last part of an answer says of its bill. */
interface Stated {
  readonly provider?: string;
  readonly model?: string;
  readonly usage?: {
    readonly cost?: number;
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
  };
}

/** The answer, or the last chunk of a stream, parsed whole. */
function statedBy({ body, contentType }: Answer): Stated | undefined {
  const text = body.toString();
  const json = contentType.startsWith("text/event-stream") ? text.match(/(?<=^data: )\{.*/gm)?.at(-1) : text;
  try {
    return JSON.parse(json ?? "") as Stated;
  } catch {
    return undefined;
  }
}

/** Answers of OpenRouter's: others state no cost. */
const billed = recordedAnswers.flatMap((answer) => {
  const stated = statedBy(answer);
  return stated?.usage?.cost === undefined ? [] : [{ answer, stated }];
});

test("of every recorded answer of OpenRouter's cost, tokens, model and provider are read as it states them", () => {
  expect(billed.length).toBeGreaterThan(50);
  for (const { answer, stated } of billed) {
    const request = { id: "r-1", method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
    const exchange = new Exchange(request, { raw: {} } as FastifyReply, () => {});
    const reading = new Reading();
    reading.begin({ status: answer.status, headers: { "content-type": answer.contentType } }, exchange);
    for (let at = 0; at < answer.body.length; at += 1_000) reading.push(answer.body.subarray(at, at + 1_000));
    reading.conclude(exchange);
    expect([answer.name, exchange.usage]).toMatchObject([
      answer.name,
      {
        costUsd: stated.usage?.cost,
        promptTokens: stated.usage?.prompt_tokens,
        completionTokens: stated.usage?.completion_tokens,
      },
    ]);
    // Some recorders have sorted the keys of JSON answers; OpenRouter puts these first.
    if (!answer.body.toString().trimStart().startsWith('{"id":')) continue;
    expect([answer.name, exchange.modelAnswered, exchange.provider]).toEqual([
      answer.name,
      stated.model,
      stated.provider,
    ]);
  }
});

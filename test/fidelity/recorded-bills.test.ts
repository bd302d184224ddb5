import { expect, test } from "vitest";
import type { ResponseFixture } from "../fixtures/replay.ts";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";
import { recordedResponses } from "./recordings.ts";

/** The cost fields of a response, or of the last chunk of a stream. */
interface StatedCost {
  readonly provider?: string;
  readonly model?: string;
  readonly usage?: {
    readonly cost?: number;
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
  };
}

/** Parses a complete response, or the last chunk of a stream. */
function parseStatedCost({ body, contentType }: ResponseFixture): StatedCost | undefined {
  const text = body.toString();
  const json = contentType.startsWith("text/event-stream") ? text.match(/(?<=^data: )\{.*/gm)?.at(-1) : text;
  try {
    return JSON.parse(json ?? "") as StatedCost;
  } catch {
    return undefined;
  }
}

/** The responses that state a cost. Only OpenRouter states it; other hosts do not. */
const responsesWithCost = recordedResponses.flatMap((response) => {
  const stated = parseStatedCost(response);
  return stated?.usage?.cost === undefined ? [] : [{ response, stated }];
});

test("reads cost, tokens, model and provider of every recorded response as OpenRouter states them", () => {
  expect(responsesWithCost.length).toBeGreaterThan(50);
  for (const { response, stated } of responsesWithCost) {
    const found = inspectResponse(response, cutIntoPieces(response.body, [1_000]), {
      headers: { "transfer-encoding": "chunked" },
    });
    expect([response.name, found.usage]).toMatchObject([
      response.name,
      {
        costUsd: stated.usage?.cost,
        tokens: {
          prompt_tokens: stated.usage?.prompt_tokens,
          completion_tokens: stated.usage?.completion_tokens,
        },
      },
    ]);
    // Some recorders sorted the keys of JSON responses. OpenRouter puts id, provider and model first.
    if (!response.body.toString().trimStart().startsWith('{"id":')) continue;
    expect([response.name, found.responseModel, found.provider]).toEqual([
      response.name,
      stated.model,
      stated.provider,
    ]);
  }
});

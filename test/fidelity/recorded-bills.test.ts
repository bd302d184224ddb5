import { expect, test } from "vitest";
import type { ResponseFixture } from "../fixtures/replay.ts";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";
import { recordedResponses } from "./recordings.ts";

/** The cost fields of a response, or of the last chunk of a stream. */
interface Stated {
  readonly provider?: string;
  readonly model?: string;
  readonly usage?: {
    readonly cost?: number;
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
  };
}

/** Parses a complete response, or the last chunk of a stream. */
function statedBy({ body, contentType }: ResponseFixture): Stated | undefined {
  const text = body.toString();
  const json = contentType.startsWith("text/event-stream") ? text.match(/(?<=^data: )\{.*/gm)?.at(-1) : text;
  try {
    return JSON.parse(json ?? "") as Stated;
  } catch {
    return undefined;
  }
}

/** Responses of OpenRouter. Other hosts state no cost. */
const billed = recordedResponses.flatMap((answer) => {
  const stated = statedBy(answer);
  return stated?.usage?.cost === undefined ? [] : [{ answer, stated }];
});

test("reads cost, tokens, model and provider of every recorded response as OpenRouter states them", () => {
  expect(billed.length).toBeGreaterThan(50);
  for (const { answer, stated } of billed) {
    const found = inspectResponse(answer, cutIntoPieces(answer.body, [1_000]), {
      headers: { "transfer-encoding": "chunked" },
    });
    expect([answer.name, found.usage]).toMatchObject([
      answer.name,
      {
        costUsd: stated.usage?.cost,
        tokens: {
          prompt_tokens: stated.usage?.prompt_tokens,
          completion_tokens: stated.usage?.completion_tokens,
        },
      },
    ]);
    // Some recorders sorted the keys of JSON responses. OpenRouter puts id, provider and model first.
    if (!answer.body.toString().trimStart().startsWith('{"id":')) continue;
    expect([answer.name, found.responseModel, found.provider]).toEqual([
      answer.name,
      stated.model,
      stated.provider,
    ]);
  }
});

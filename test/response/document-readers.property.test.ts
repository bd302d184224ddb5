import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutIntoPieces } from "../support/inspect-response.ts";
import { readDocument, SIZES } from "../support/read-response.ts";
import { type ApiName, readReferenceDocument } from "../support/reference-response.ts";
import {
  completionUsage,
  FORGED,
  forgedFields,
  id,
  longText,
  messagesUsage,
  responsesUsage,
} from "../support/response-events.ts";

const DOCUMENT_USAGE: [ApiName, fc.Arbitrary<object | null>][] = [
  ["completions", fc.option(completionUsage, { nil: null })],
  ["responses", responsesUsage],
  ["messages", messagesUsage],
];

describe.each(DOCUMENT_USAGE)("the reader of documents of %s", (api, usage) => {
  test("reads what a parser of the whole document reads, with usage and id first or last", () => {
    const long = fc.record({
      data: fc.array(forgedFields, { maxLength: 3 }),
      instructions: longText,
      output: fc.array(forgedFields, { maxLength: 2 }),
      metadata: forgedFields,
    });
    const facts = fc.record({ usage, id, model: fc.constant("a/b") }, { requiredKeys: [] });
    const documents = fc
      .tuple(long, facts, fc.boolean())
      .map(([body, stated, isFirst]) => (isFirst ? { ...stated, ...body } : { ...body, ...stated }));
    fc.assert(
      fc.property(documents, fc.constantFrom(0, 2), SIZES, (document, space, sizes) => {
        const json = Buffer.from(JSON.stringify(document, null, space));
        expect(readDocument(cutIntoPieces(json, sizes), api)).toEqual(readReferenceDocument(json, api));
      }),
      { numRuns: 300 },
    );
  });
});

test.each([
  ["first", (facts: object, data: object) => ({ ...facts, ...data })],
  ["last", (facts: object, data: object) => ({ ...data, ...facts })],
])("reads the usage of an embeddings document of megabytes that states it %s", (_, combine) => {
  const data = [{ embedding: Array.from({ length: 400_000 }, (__, at) => Math.sin(at)), usage: FORGED }];
  const facts = { usage: { prompt_tokens: 4, total_tokens: 4, cost: 0.5 }, provider: "P", id: "gen-emb-1" };
  const body = Buffer.from(JSON.stringify(combine(facts, { object: "list", data })));
  for (const size of [1_460, 16_384, 65_536, body.length])
    expect(readDocument(cutIntoPieces(body, [size]), "completions")).toEqual({
      cost: 0.5,
      promptTokens: 4,
      completionTokens: 0,
      id: "gen-emb-1",
      isComplete: true,
      hasError: false,
    });
});

test("reads the usage of a ranking, which states only the total of its tokens", () => {
  const body = Buffer.from(
    '{"model":"rerank","results":[{"index":1,"relevance_score":0.8,"document":{"text":"\\"usage\\":{\\"cost\\":9}"}}],' +
      '"usage":{"total_tokens":17,"search_units":1,"cost":3.4e-7},"provider":"VoyageAI","id":"gen-rerank-1"}',
  );
  expect(readDocument([body], "completions")).toMatchObject({
    cost: 3.4e-7,
    promptTokens: 17,
    id: "gen-rerank-1",
  });
});

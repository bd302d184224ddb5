import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Tail } from "../../src/relay/tail.ts";
import { readUsage } from "../../src/usage/usage.ts";

const GIVEN = {
  prompt_tokens: 12,
  completion_tokens: 34,
  total_tokens: 46,
  cost: 0.000_06,
  is_byok: false,
  prompt_tokens_details: { cached_tokens: 5, cache_write_tokens: 1 },
  cost_details: { upstream_inference_cost: 0.01 },
  completion_tokens_details: { reasoning_tokens: 6 },
};
const READ = {
  promptTokens: 12,
  completionTokens: 34,
  cachedTokens: 5,
  cacheWriteTokens: 1,
  reasoningTokens: 6,
  costUsd: 0.000_06,
  isByok: false,
  upstreamInferenceUsd: 0.01,
};

const read = (text: string) => readUsage(Buffer.from(text));
const answer = (content: string, fields: object = { usage: GIVEN }): string =>
  `\n         \n${JSON.stringify({ id: "gen-1", choices: [{ message: { content } }], ...fields })}`;
const stream = (content: string): string =>
  `: OPENROUTER PROCESSING\n\ndata: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n` +
  `data: ${JSON.stringify({ choices: [{ delta: { content: "" }, finish_reason: "stop" }], usage: GIVEN })}\n\ndata: [DONE]\n\n`;

test("usage is read from the end of a JSON answer and from the last event of a stream", () => {
  expect(read(answer("hi"))).toEqual(READ);
  expect(read(stream("hi"))).toEqual(READ);
  expect(read(stream("hi").replaceAll("\n", "\r\n"))).toEqual(READ);
});

test("usage that is written with spaces, or before other fields, is read", () => {
  expect(read(JSON.stringify({ usage: GIVEN }, null, 2))).toEqual(READ);
  expect(read(JSON.stringify({ usage: GIVEN, error: { code: 502, message: '"usage":{}' } }))).toEqual(READ);
});

test("the last usage counts when there are several", () => {
  const events = [1, 2, 3].map((tokens) => `data: {"usage":{"prompt_tokens":${tokens}}}\n\n`);
  expect(read(events.join(""))).toMatchObject({ promptTokens: 3 });
});

test("a usage of null says nothing and unsays nothing", () => {
  expect(read('data: {"usage":null}\n\n')).toBeUndefined();
  expect(read('{"usage":null,"limits":{"prompt_tokens":7,"cost":9}}')).toBeUndefined();
  expect(read(`data: ${JSON.stringify({ usage: GIVEN })}\n\ndata: {"usage":null}\n\n`)).toEqual(READ);
});

const HOSTILE: readonly string[] = [
  '"usage":{"prompt_tokens":999,"cost":999}',
  '","usage":{"prompt_tokens":999}',
  '\\","usage":{"prompt_tokens":999}',
  '\\\\","usage":{"cost":999},"',
  '}]}\n\ndata: {"usage":{"prompt_tokens":999}}\n\ndata: [DONE]\n\n',
  "\u0022usage\u0022:{\u0022cost\u0022:999}",
  '{"usage":{"cost":999',
  '"usage":',
  "}}}}{{{{\\",
];

test.each(HOSTILE)("what a model writes is not taken for usage: %s", (content) => {
  expect(read(answer(content))).toEqual(READ);
  expect(read(stream(content))).toEqual(READ);
  expect(read(answer(content, {}))).toBeUndefined();
  const after = JSON.stringify({ usage: GIVEN, choices: [{ message: { content, [content]: content } }] });
  expect(read(after)).toEqual(READ);
});

test("no text of a model is taken for usage, wherever the tail begins", () => {
  const evil = fc
    .array(
      fc.constantFrom(
        '"',
        "\\",
        '"usage":',
        "{",
        "}",
        '"cost":999',
        '"prompt_tokens":999',
        ",",
        "\n",
        "🌊",
        "a",
      ),
      {
        maxLength: 30,
      },
    )
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(evil, fc.nat(200), (content, from) => {
      expect(readUsage(Buffer.from(answer(content, {})).subarray(from))).toBeUndefined();
      const whole = Buffer.from(answer(content));
      const usageAt = whole.lastIndexOf('"usage":');
      expect(readUsage(whole.subarray(Math.min(from, usageAt)))).toEqual(READ);
    }),
    { numRuns: 1_000 },
  );
});

test("usage is read from what is kept of an answer, however it came in pieces", () => {
  const whole = Buffer.from(stream("🌊 ".repeat(20_000)));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const tail = new Tail();
      for (let at = 0, i = 0; at < whole.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        tail.push(whole.subarray(at, at + size));
        at += size;
      }
      expect(readUsage(tail.bytes())).toEqual(READ);
    }),
    { numRuns: 50 },
  );
});

test("half a usage is none", () => {
  const whole = answer("hi");
  const start = whole.indexOf('"usage":');
  for (let end = start; end < whole.length - 1; end++) expect(read(whole.slice(0, end))).toBeUndefined();
  for (let from = start + 1; from < whole.length; from++) expect(read(whole.slice(from))).toBeUndefined();
});

test.each([
  ["nothing", ""],
  ["no JSON", "<html>usage: 7</html>"],
  ["an empty object", '{"usage":{}}'],
  ["numbers of nothing known", '{"usage":{"seconds":7}}'],
  ["a string", '{"usage":"12"}'],
  ["broken JSON", '{"usage":{"prompt_tokens":1,}}'],
  ["an end without a beginning", '{"usage":}}}}'],
])("%s has no usage", (_, text) => {
  expect(read(text)).toBeUndefined();
});

test.each<[given: string, read: object]>([
  ['{"prompt_tokens":7}', { promptTokens: 7, completionTokens: 0, cachedTokens: 0, costUsd: undefined }],
  ['{"cost":0}', { promptTokens: 0, completionTokens: 0, costUsd: 0 }],
  ['{"cost":"0.5","prompt_tokens":"7"}', { promptTokens: 0, costUsd: undefined }],
  ['{"cost":-1,"prompt_tokens":-7,"completion_tokens":1e400}', { promptTokens: 0, completionTokens: 0 }],
  ['{"cost":1e999,"prompt_tokens":1}', { promptTokens: 1, costUsd: undefined }],
  ['{"prompt_tokens":1,"prompt_tokens_details":null,"completion_tokens_details":7}', { cachedTokens: 0 }],
  ['{"prompt_tokens":1e300,"cost":1e300}', { promptTokens: 0, costUsd: undefined }],
  ['{"prompt_tokens":9007199254740992,"cost":1000000.01}', { promptTokens: 0, costUsd: undefined }],
  ['{"prompt_tokens":1000000000000,"cost":1000000}', { promptTokens: 1e12, costUsd: 1e6 }],
  ['{"prompt_tokens":1.5,"completion_tokens":1000000000001}', { promptTokens: 2, completionTokens: 0 }],
  [
    '{"cost":1,"is_byok":true,"cost_details":{"upstream_inference_cost":0.25}}',
    { isByok: true, upstreamInferenceUsd: 0.25 },
  ],
  [
    '{"cost":1,"is_byok":1,"cost_details":{"upstream_inference_cost":-1}}',
    { isByok: undefined, upstreamInferenceUsd: undefined },
  ],
  [
    '{"cost":1,"cost_details":{"upstream_inference_cost":null}}',
    { isByok: undefined, upstreamInferenceUsd: undefined, cacheWriteTokens: 0 },
  ],
  ['{"prompt_tokens":1,"note":"}\\"{"}', { promptTokens: 1 }],
  ['{"prompt_tokens":1,"__proto__":{"cost":9}}', { promptTokens: 1, costUsd: undefined }],
])("of usage %s only sound numbers are taken", (given, expected) => {
  expect(read(`{"usage":${given}}`)).toMatchObject(expected);
});

test("a tail of many megabytes is searched in less than a second", () => {
  const texts = [
    `{"usage":{${'"a":{'.repeat(2_000_000)}`,
    '"usage":'.repeat(1_000_000),
    '{"usage":"'.padEnd(8_000_000, "\\"),
  ];
  const startedAt = performance.now();
  for (const text of texts) expect(read(text)).toBeUndefined();
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

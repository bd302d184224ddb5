import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  findAliasMistake,
  mergeAliases,
  NO_ALIASES,
  resolveModelId,
} from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { formatObject, spellString, valueText, whitespace } from "../support/json-text.ts";
import { LISTED_IDS, SUFFIXES } from "../fixtures/model-ids.ts";

const NAMES = ["fast", "a", "claude-haiku-4-5", "gpt-4o.2024_08", "x".repeat(64)];

test("every listed model with every suffix is a valid target, and no alias can hide it", () => {
  const ids = LISTED_IDS.flatMap((id) => SUFFIXES.map((suffix) => id + suffix));
  for (const id of [...ids, "@preset/x", "openrouter/openai/gpt-4o", `a/${"x".repeat(254)}`]) {
    expect([id, findAliasMistake("fast", id)]).toEqual([id, undefined]);
    expect([id, findAliasMistake(id, "a/b")]).toEqual([id, expect.stringContaining("'/', ':' and '@'")]);
  }
});

test.each(NAMES)("accepts the name %s", (name) => {
  expect(findAliasMistake(name, "a/b")).toBeUndefined();
});

test.each(["", ".", "..", "__proto__", "-x", "ключ", "a b", "a\n", 'a"b', "a\\b", "a%2Fb", "x".repeat(65)])(
  "refuses the name %j",
  (name) => {
    expect(findAliasMistake(name, "a/b")).toContain("must have a name of up to 64");
  },
);

test.each([
  "",
  "smart",
  "a/",
  "/b",
  "a/b/c",
  'a/b"',
  "a/b\\",
  "a/b c",
  "a/ü",
  "a/b\n",
  `a/${"x".repeat(255)}`,
  "@preset/",
])("refuses the target %j", (target) => {
  expect(findAliasMistake("fast", target)).toContain("must name a model id of up to 256");
});

test("resolves only a whole id, and an alias of the key before that of the gateway", () => {
  const shared = new Map([
    ["fast", "a/b"],
    ["smart", "c/d"],
  ]);
  const own = new Map([["fast", "e/f"]]);
  expect(["fast", "smart", "x"].map((id) => resolveModelId(id, shared, own))).toEqual(["e/f", "c/d", "x"]);
  expect(resolveModelId("fast", shared)).toBe("a/b");
  for (const id of [
    "Fast",
    "fast:nitro",
    "openrouter/fast",
    "a/fast",
    " fast",
    "constructor",
    "@preset/fast",
  ])
    expect(resolveModelId(id, shared, own)).toBe(id);
  expect([...mergeAliases(shared, own)]).toEqual([
    ["fast", "e/f"],
    ["smart", "c/d"],
  ]);
  expect(mergeAliases(shared)).toBe(shared);
  expect(mergeAliases(NO_ALIASES, own)).toBe(own);
});

const GLOBAL = new Map([
  ["fast", "google/gemini-3-flash-preview"],
  ["own", "never/used"],
  [NAMES[2] ?? "", "a/b"],
]);
const OWN = new Map([
  ["own", "openai/gpt-4o:nitro"],
  ["x".repeat(64), "~openai/gpt-latest"],
]);

/** The JSON spelling of a model id in a request, and the text that replaces it. */
interface Spelled {
  readonly id: string;
  readonly requested: string;
  readonly forwarded: string;
  readonly model: string;
}

const alias = fc.constantFrom(...[...GLOBAL, ...OWN].map(([name]) => name)).chain((id) =>
  spellString(id).map((requested): Spelled => {
    const model = OWN.get(id) ?? GLOBAL.get(id) ?? "";
    return { id, requested, forwarded: model, model };
  }),
);
const prefixed = fc.constantFrom("a/b", "openrouter/auto", "@preset/x", "c/d:free").chain((model) =>
  fc.tuple(spellString("openrouter/"), spellString(model)).map(([prefix, rest]): Spelled => ({
    id: `openrouter/${model}`,
    requested: prefix + rest,
    forwarded: rest,
    model,
  })),
);
const unchanged = fc
  .constantFrom("a/b", "Fast", "fast:nitro", "openrouter/fast", "fast ", "other", "own/fast")
  .chain((id) =>
    spellString(id).map((text): Spelled => ({ id, requested: text, forwarded: text, model: id })),
  );
const spelled = fc.oneof(alias, alias, prefixed, unchanged);

/** Values in which an alias is not the id of a model that the gateway reads. */
const LOOK_ALIKES = [
  '"fast"',
  '{"model":"fast","models":["own"]}',
  '[{"model":"fast","fallbacks":[{"model":"own"}]}]',
  '"\\"model\\":\\"fast\\""',
];
const lookAlike = fc.oneof(fc.constantFrom(...LOOK_ALIKES), valueText);

const CONTENT: Readonly<Record<string, readonly [key: string, value: string]>> = {
  "chat/completions": ["messages", '[{"role":"user","content":"fast","model":"fast"}]'],
  completions: ["prompt", '"fast"'],
  responses: ["input", '"fast"'],
  messages: ["messages", '[{"role":"user","content":"fast"}]'],
  embeddings: ["input", '"fast"'],
  rerank: ["documents", '["fast"]'],
};

test.each(RELAYED_ENDPOINTS.map(({ path, request }) => ({ path, request })))(
  "replaces only the bytes of aliases in a request for $path, in any spelling, between prefixes and other ids",
  ({ path, request: shape }) => {
    const bodies = fc.record({
      model: fc.tuple(spellString("model"), spelled),
      models: fc.tuple(spellString("models"), fc.array(spelled, { minLength: 1, maxLength: 5 })),
      fallbacks: fc.tuple(spellString("fallbacks"), fc.array(spelled, { maxLength: 3 })),
      others: fc.array(fc.tuple(fc.constantFrom("Xmodel", "metadata_", "model "), lookAlike), {
        maxLength: 2,
      }),
      gaps: fc.array(whitespace, { minLength: 1, maxLength: 7 }),
      order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    });
    const [contentKey, content] = CONTENT[path] ?? ["", ""];
    const extra = path === "messages" ? '"max_tokens":9007199254740993' : '"query":"fast"';
    const [extraKey = "", extraValue = ""] = extra.split(":");
    fc.assert(
      fc.property(bodies, ({ model, models, fallbacks, others, gaps, order }) => {
        const format = (which: "requested" | "forwarded"): string => {
          const members: [string, string][] = [
            [`"${contentKey}"`, content],
            [extraKey, extraValue],
            [`"${model[0]}"`, `"${model[1][which]}"`],
            [`"${models[0]}"`, `[${models[1].map((id) => `"${id[which]}"`).join(` ,${gaps[0]}`)}]`],
          ];
          if (shape.hasFallbacks)
            members.push([
              `"${fallbacks[0]}"`,
              `[${fallbacks[1].map((id) => `{"x":"fast","model":"${id[which]}"}`).join(",")}]`,
            ]);
          const seen = new Map(others.map(([key, value]) => [`"${key}"`, value]));
          const ranked = [...members, ...seen].map((member, index) => ({
            member,
            rank: order[index % 8] ?? 0,
          }));
          const shuffled = ranked.toSorted((a, b) => a.rank - b.rank).map(({ member }) => member);
          return formatObject(shuffled, gaps);
        };
        const call = readModelRequest(Buffer.from(format("requested")), shape, GLOBAL, OWN);

        expect(call.body.toString()).toBe(format("forwarded"));
        expect([call.requestedModel, call.forwardedModel]).toEqual([model[1].id, model[1].model]);
        const ids = [model[1], ...models[1], ...(shape.hasFallbacks ? fallbacks[1] : [])];
        expect(call.models).toEqual(ids.map((id) => id.model));
      }),
      { numRuns: 300 },
    );
  },
);

test("the models of plugins and tools have no aliases", () => {
  const text =
    '{"model":"fast","messages":[{"role":"user","content":"Hi"}],"plugins":[{"id":"fusion","model":"fast","analysis_models":["own"]}],"tools":[{"type":"openrouter:advisor","parameters":{"model":"fast"}}]}';
  const [chat] = RELAYED_ENDPOINTS;
  if (!chat) throw new Error("no endpoint");
  const call = readModelRequest(Buffer.from(text), chat.request, GLOBAL, OWN);
  expect(call.body.toString()).toBe(text.replace("fast", "google/gemini-3-flash-preview"));
  expect(call.nestedModels.map(({ name }) => name)).toEqual(["fast", "own", "fast"]);
});

test("a request without aliases keeps its buffer when aliases are set", () => {
  const given = Buffer.from('{"model":"openai/x","messages":[{"role":"user","content":"fast"}]}');
  const [chat] = RELAYED_ENDPOINTS;
  if (!chat) throw new Error("no endpoint");
  const { body } = readModelRequest(given, chat.request, GLOBAL, OWN);
  expect([body.buffer, body.byteOffset, body.length]).toEqual([given.buffer, given.byteOffset, given.length]);
});

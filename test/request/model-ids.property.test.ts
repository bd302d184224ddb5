import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ModelAliases } from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";
import { chatCompletionsSchema } from "../../src/request/schemas/chat-completions.ts";
import { messagesSchema } from "../../src/request/schemas/messages.ts";
import { anyText, formatObject, spellString, valueText, whitespace } from "../support/json-text.ts";

// Tests of `fallbacks[].model` and of aliases. The generators write every body twice, as it is sent and as it must be forwarded.

const ALIASES: ModelAliases = new Map([
  ["fast", "google/gemini-3-flash-preview"],
  ["x", "a/b"],
  ["team/best", "anthropic/claude-opus-5:online"],
  ["a-name-that-is-longer-than-its-target", "a/b"],
]);
const MESSAGES = { schema: messagesSchema, hasFallbacks: true };
const CHAT = { schema: chatCompletionsSchema };

/** A JSON text as the client sends it, and as the gateway must forward it. */
interface Text {
  readonly sent: string;
  readonly forwarded: string;
}

/** A model id: its JSON text with quotes, and its decoded forms. */
interface SpelledId extends Text {
  readonly id: string;
  readonly forwardedId: string;
}

const plainId = fc.constantFrom("openai/gpt-4o", "openrouter/auto", "no-alias", "a/b:free", "@preset/x");
const modelId: fc.Arbitrary<SpelledId> = fc.oneof(
  plainId.chain((id) =>
    spellString(id).map((text) => ({ sent: `"${text}"`, forwarded: `"${text}"`, id, forwardedId: id })),
  ),
  fc
    .constantFrom("openai/gpt-4o", "a/b:free", "@preset/x")
    .chain((id) => fc.tuple(spellString("openrouter/"), spellString(id), fc.constant(id)))
    .map(([prefix, rest, id]) => ({
      sent: `"${prefix}${rest}"`,
      forwarded: `"${rest}"`,
      id: `openrouter/${id}`,
      forwardedId: id,
    })),
  fc.constantFrom(...ALIASES).chain(([alias, target]) =>
    fc
      .tuple(spellString(alias), spellString("openrouter/"), fc.boolean())
      .map(([text, prefix, isPrefixed]) => {
        const hasPrefix = isPrefixed && alias.includes("/");
        return {
          sent: `"${hasPrefix ? prefix : ""}${text}"`,
          forwarded: `"${target}"`,
          id: (hasPrefix ? "openrouter/" : "") + alias,
          forwardedId: target,
        };
      }),
  ),
);

const unchanged = (text: string): Text => ({ sent: text, forwarded: text });
type Member = readonly [key: string, value: Text];

/** Members that the gateway must not touch, with the names and forms of those that it reads. */
const decoys: fc.Arbitrary<Member[]> = fc
  .uniqueArray(
    anyText.map((text) => `X${text}`),
    { maxLength: 3 },
  )
  .chain((keys) =>
    fc.tuple(...keys.map((key) => fc.tuple(spellString(key), fc.oneof(valueText, decoyValue)))),
  )
  .map((members) => members.map(([key, value]) => [`"${key}"`, unchanged(value)] as const));
const decoyValue = fc.constantFrom(
  '{"fallbacks":[{"model":"openrouter/a/b"}]}',
  '[{"model":"openrouter/a/b"},{"model":"fast"}]',
  '[[{"model":"openrouter/a/b","models":["fast"]}]]',
  '"\\",\\"fallbacks\\":[{\\"model\\":\\"openrouter\\/a\\/b\\"}]"',
  `${'{"model":'.repeat(40)}"openrouter/a/b"${"}".repeat(40)}`,
);

const gaps = fc.array(whitespace, { minLength: 1, maxLength: 9 });

/** Writes an object with these members in any order. */
function writeObject(members: readonly Member[], order: readonly number[], spaces: string[]): Text {
  const shuffled = members
    .map((member, index) => ({ member, rank: order[index % order.length] ?? 0 }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ member }) => member);
  const write = (which: keyof Text): string =>
    formatObject(
      shuffled.map(([key, value]) => [key, value[which]]),
      spaces,
    );
  return { sent: write("sent"), forwarded: write("forwarded") };
}

const orders = fc.array(fc.nat(), { minLength: 8, maxLength: 8 });
const modelMember = fc
  .tuple(spellString("model"), modelId)
  .map(([key, id]) => ({ member: [`"${key}"`, id] as Member, id }));

const fallback = fc
  .tuple(modelMember, decoys, orders, gaps)
  .map(([{ member, id }, others, order, spaces]) => ({
    text: writeObject([member, ...others], order, spaces),
    id,
  }));

const joinTexts = (texts: readonly Text[], gap: string): Text => ({
  sent: `[${gap}${texts.map(({ sent }) => sent).join(`${gap},`)}${gap}]`,
  forwarded: `[${gap}${texts.map(({ forwarded }) => forwarded).join(`${gap},`)}${gap}]`,
});

const bodies = fc
  .record({
    model: modelMember,
    models: fc.array(modelId, { maxLength: 3 }),
    modelsKey: spellString("models"),
    fallbacks: fc.array(fallback, { maxLength: 4 }),
    fallbacksKey: spellString("fallbacks"),
    others: decoys,
    order: orders,
    spaces: gaps,
  })
  .map(({ model, models, modelsKey, fallbacks, fallbacksKey, others, order, spaces }) => {
    const gap = spaces[0] ?? "";
    const members: Member[] = [
      model.member,
      ['"messages"', unchanged('[{"role":"user","content":"x","model":"fast","fallbacks":[{"model":"x"}]}]')],
      [`"${modelsKey}"`, joinTexts(models, gap)],
      [
        `"${fallbacksKey}"`,
        joinTexts(
          fallbacks.map(({ text }) => text),
          gap,
        ),
      ],
      ...others,
    ];
    return {
      ...writeObject(members, order, spaces),
      ids: [model.id, ...models, ...fallbacks.map(({ id }) => id)],
    };
  });

test("changes only the ids in model, models and fallbacks[].model, in any JSON spelling and order", () => {
  fc.assert(
    fc.property(bodies, ({ sent, forwarded, ids }) => {
      const request = readModelRequest(Buffer.from(sent), MESSAGES, ALIASES);
      expect(request.body.toString()).toBe(forwarded);
      expect(request.models).toEqual(ids.map(({ forwardedId }) => forwardedId));
      expect([request.requestedModel, request.forwardedModel]).toEqual([ids[0]?.id, ids[0]?.forwardedId]);
      // The independent reading of the same text.
      const { model, models, fallbacks } = JSON.parse(sent) as {
        model: string;
        models: string[];
        fallbacks: { model: string }[];
      };
      expect([model, ...models, ...fallbacks.map((one) => one.model)]).toEqual(ids.map(({ id }) => id));
    }),
    { numRuns: 1_000 },
  );
});

test("changes no fallbacks for an endpoint that has none", () => {
  fc.assert(
    fc.property(fc.array(fallback, { maxLength: 3 }), spellString("fallbacks"), (fallbacks, key) => {
      const list = joinTexts(
        fallbacks.map(({ text }) => text),
        "",
      );
      const text = `{"model":"a/b","messages":[{"role":"user"}],"${key}":${list.sent}}`;
      const { body, models } = readModelRequest(Buffer.from(text), CHAT, ALIASES);
      expect([body.toString(), models]).toEqual([text, ["a/b"]]);
    }),
    { numRuns: 300 },
  );
});

test("refuses a fallback with two models, in any JSON spelling and position", () => {
  const doubled = fc
    .tuple(modelMember, modelMember, decoys, orders, gaps)
    .map(([first, second, others, order, spaces]) =>
      writeObject([first.member, ...others, second.member], order, spaces),
    );
  fc.assert(
    fc.property(fc.array(fallback, { maxLength: 3 }), doubled, fc.nat(), (fallbacks, double, position) => {
      const list = fallbacks.map(({ text }) => text);
      list.splice(position % (list.length + 1), 0, double);
      const text = `{"model":"a/b","messages":[],"fallbacks":${joinTexts(list, "").sent}}`;
      expect(() => readModelRequest(Buffer.from(text), MESSAGES, ALIASES)).toThrow(
        expect.objectContaining({ code: "duplicate_field", param: "fallbacks" }),
      );
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["an object", '{"a":{"model":"openrouter/a/b"}}', "invalid_type"],
  ["a string", '"openrouter/a/b"', "invalid_type"],
  ["an array of arrays", '[[{"model":"openrouter/a/b"}]]', "invalid_type"],
  ["an array of strings", '["openrouter/a/b"]', "invalid_type"],
  ["a model that is an object", '[{"model":{"model":"openrouter/a/b"}}]', "invalid_type"],
  ["a model of null", '[{"model":null}]', "invalid_type"],
  ["no model in one of them", '[{"model":"a/b"},{"name":"openrouter/a/b"}]', "missing_required_parameter"],
])("refuses fallbacks with %s", (_, fallbacks, code) => {
  const text = `{"model":"a/b","messages":[],"fallbacks":${fallbacks}}`;
  expect(() => readModelRequest(Buffer.from(text), MESSAGES, ALIASES)).toThrow(
    expect.objectContaining({ code }),
  );
});

test("reads fallbacks of null, an empty list, and models deep inside other values of a fallback", () => {
  const deep = `${'{"model":['.repeat(100)}"openrouter/a/b"${"]}".repeat(100)}`;
  for (const [fallbacks, models] of [
    ["null", []],
    ["[]", []],
    [`[{"x":${deep},"model":"c/d","y":${deep}}]`, ["c/d"]],
  ] as const) {
    const text = `{"model":"a/b","messages":[],"fallbacks":${fallbacks}}`;
    const request = readModelRequest(Buffer.from(text), MESSAGES, ALIASES);
    expect([request.body.toString(), request.models]).toEqual([text, ["a/b", ...models]]);
  }
});

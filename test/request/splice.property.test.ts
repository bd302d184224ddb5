import assert from "node:assert/strict";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readChatRequest } from "../support/read-chat-request.ts";
import { cutInPlace } from "../../src/request/splice.ts";
import type { Span } from "../../src/request/top-level-fields.ts";
import { anyText, formatObject, spellString, valueText, whitespace } from "../support/json-text.ts";

/** The JSON spelling of a model id, split into the prefix to remove and the rest. */
interface SpelledId {
  /** JSON text of the prefix to remove, without quotes; empty if the id has no optional prefix. */
  readonly prefix: string;
  readonly rest: string;
  readonly asked: string;
  readonly sent: string;
}

const namePart = anyText.map((text) => text.replaceAll(/[/:@]/g, "") || "x");
const upstreamId = fc.oneof(
  fc.constantFrom(
    "openai/gpt-4o",
    "~openai/gpt-latest:free",
    "openrouter/auto",
    "@preset/x/y",
    "a/b@preset/c/d:e",
  ),
  fc.tuple(namePart, namePart).map((parts) => parts.join("/")),
);
const prefixedId = upstreamId.chain((sent) =>
  fc
    .tuple(spellString("openrouter/"), spellString(sent))
    .map(([prefix, rest]) => ({ prefix, rest, asked: `openrouter/${sent}`, sent })),
);
const otherId = fc
  .oneof(
    upstreamId,
    fc.constantFrom(
      "openrouter/auto:online",
      "openrouter//x",
      "OpenRouter/a/b",
      "openrouter/",
      "openrouter/a/b/c",
      "x",
    ),
  )
  .filter((id) => !/^openrouter\/[^/:@]+\/[^/:@]+(?:[:@]|$)/u.test(id))
  .chain((id) => spellString(id).map((rest) => ({ prefix: "", rest, asked: id, sent: id })));
const modelId: fc.Arbitrary<SpelledId> = fc.oneof(prefixedId, prefixedId, otherId);

/** Text of a member of the body, as the client sends it and as the gateway must forward it. */
interface Member {
  readonly asked: string;
  readonly sent: string;
}

const same = (text: string): Member => ({ asked: text, sent: text });
const quoted = ({ prefix, rest }: SpelledId): Member => ({ asked: `"${prefix}${rest}"`, sent: `"${rest}"` });

/** Keys that the gateway does not read: none that it reads starts with `X`. */
const unknownKey = anyText.map((text) => `X${text}`);
const oddKeys = fc.subarray(["__proto__", "constructor", "", "Model", "model ", "\u0000model", "modelſ"]);
const unknownMembers = fc
  .tuple(fc.uniqueArray(unknownKey, { maxLength: 4 }), oddKeys)
  .chain(([keys, odd]) =>
    fc.tuple(
      ...[...keys, ...odd].map((key) =>
        fc.tuple(spellString(key), valueText).map(([name, value]) => [name, value] as const),
      ),
    ),
  );

const chatBodies = fc
  .record({
    modelKey: spellString("model"),
    model: fc.option(modelId),
    modelsKey: spellString("models"),
    models: fc.option(fc.array(modelId, { minLength: 1, maxLength: 4 })),
    messages: fc.constantFrom(
      '[{"role":"user","content":"openrouter/a/b","model":"openrouter/a/b"}]',
      '[{"role":"user","content":[{"type":"text","text":"\\",\\"model\\":\\"openrouter\\/a\\/b"}]}]',
    ),
    others: unknownMembers,
    gaps: fc.array(whitespace, { minLength: 1, maxLength: 11 }),
    order: fc.array(fc.nat(), { minLength: 16, maxLength: 16 }),
  })
  .filter(({ model, models }) => model !== null || models !== null)
  .map(({ modelKey, model, modelsKey, models, messages, others, gaps, order }) => {
    const members: [key: string, value: Member][] = others.map(([key, value]) => [`"${key}"`, same(value)]);
    members.push(['"messages"', same(messages)]);
    if (model) members.push([`"${modelKey}"`, quoted(model)]);
    const comma = `${gaps.at(-1)},${gaps[0]}`;
    const list = (which: keyof Member): string => `[${models?.map((id) => quoted(id)[which]).join(comma)}]`;
    if (models) members.push([`"${modelsKey}"`, { asked: list("asked"), sent: list("sent") }]);
    const shuffled = members
      .map((member, i) => ({ member, rank: order[i % order.length] ?? 0 }))
      .toSorted((a, b) => a.rank - b.rank);
    const text = (which: keyof Member): string =>
      formatObject(
        shuffled.map(({ member: [key, value] }) => [key, value[which]]),
        gaps,
      );
    return { asked: text("asked"), sent: text("sent"), model, models };
  });

test("readChatRequest removes only the prefix of model ids, in any JSON spelling", () => {
  fc.assert(
    fc.property(chatBodies, ({ asked, sent, model, models }) => {
      const expected = JSON.parse(asked) as Record<string, unknown>;
      if (model) expected["model"] = model.sent;
      if (models) expected["models"] = models.map((id) => id.sent);

      const request = readChatRequest(Buffer.from(asked));

      expect(request.body.toString()).toBe(sent);
      assert.deepStrictEqual(JSON.parse(request.body.toString()), expected);
      expect(request.requestedModel).toBe((model ?? models?.[0])?.asked);
      expect(request.forwardedModel).toBe((model ?? models?.[0])?.sent);
    }),
    { numRuns: 2_000 },
  );
});

const bytesAndCuts = fc
  .tuple(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200), { maxLength: 12 }))
  .map(([bytes, positions]) => {
    const sorted = positions.map((position) => Math.min(position, bytes.length)).toSorted((a, b) => a - b);
    const cuts: Span[] = [];
    for (let i = 0; i + 1 < sorted.length; i += 2)
      cuts.push({ start: sorted[i] ?? 0, end: sorted[i + 1] ?? 0 });
    return { bytes, cuts };
  });

const GUARD = 16;

test("cutInPlace gives the same bytes as a copy, and changes no memory outside of the buffer", () => {
  fc.assert(
    fc.property(bytesAndCuts, ({ bytes, cuts }) => {
      const kept = (at: number): boolean => !cuts.some(({ start, end }) => at >= start && at < end);
      const expected = Array.from(bytes).filter((_, at) => kept(at));
      const memory = Buffer.alloc(bytes.length + 2 * GUARD, 0xee);
      const body = memory.subarray(GUARD, GUARD + bytes.length);
      body.set(bytes);

      const left = cutInPlace(body, cuts);

      expect(Array.from(left)).toEqual(expected);
      expect(left.buffer).toBe(memory.buffer);
      expect(left.byteOffset).toBeGreaterThanOrEqual(body.byteOffset);
      expect(left.byteOffset + left.length).toBeLessThanOrEqual(body.byteOffset + body.length);
      const guards = [...memory.subarray(0, GUARD), ...memory.subarray(-GUARD)];
      expect(new Set(guards)).toEqual(new Set([0xee]));
    }),
    { numRuns: 2_000 },
  );
});

test("cutInPlace does not move the longest run between two cuts", () => {
  const text = `${"a".repeat(5)}--${"b".repeat(900)}--${"c".repeat(7)}--d`;
  const body = Buffer.from(text);
  const long = body.byteOffset + text.indexOf("b");
  const cuts = [...text.matchAll(/--/g)].map(({ index }) => ({ start: index, end: index + 2 }));
  const left = cutInPlace(body, cuts);
  expect(left.toString()).toBe(text.replaceAll("-", ""));
  expect(left.byteOffset + left.indexOf("b")).toBe(long);
});

test("readChatRequest returns the given bytes without a copy when no model id has a prefix", () => {
  const given = Buffer.from('{"model":"openai/x","messages":[{"role":"user","content":"hi"}]}');
  const { body: left } = readChatRequest(given);
  expect(left.buffer).toBe(given.buffer);
  expect([left.byteOffset, left.length]).toEqual([given.byteOffset, given.length]);
});

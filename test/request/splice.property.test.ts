import assert from "node:assert/strict";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readChatRequest } from "../../src/request/chat-request.ts";
import { cutInPlace } from "../../src/request/splice.ts";
import type { Span } from "../../src/request/top-level-fields.ts";
import { anyText, formatObject, spellString, valueText, whitespace } from "../support/json-text.ts";

/** The JSON spelling of a model id, split into the prefix to remove and the rest. */
interface SpelledId {
  /** JSON text of the prefix to remove, without quotes; empty if the id has no optional prefix. */
  readonly prefix: string;
  readonly rest: string;
  readonly requested: string;
  readonly forwarded: string;
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
const prefixedId = upstreamId.chain((forwarded) =>
  fc
    .tuple(spellString("openrouter/"), spellString(forwarded))
    .map(([prefix, rest]) => ({ prefix, rest, requested: `openrouter/${forwarded}`, forwarded })),
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
  .chain((id) => spellString(id).map((rest) => ({ prefix: "", rest, requested: id, forwarded: id })));
const modelId: fc.Arbitrary<SpelledId> = fc.oneof(prefixedId, prefixedId, otherId);

/** Text of a member of the body, as the client sends it and as the gateway must forward it. */
interface Member {
  readonly requested: string;
  readonly forwarded: string;
}

const same = (text: string): Member => ({ requested: text, forwarded: text });
const quoted = ({ prefix, rest }: SpelledId): Member => ({
  requested: `"${prefix}${rest}"`,
  forwarded: `"${rest}"`,
});

/** Keys that start with `X`, which the gateway ignores. */
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
    const formatList = (which: keyof Member): string =>
      `[${models?.map((id) => quoted(id)[which]).join(comma)}]`;
    if (models)
      members.push([
        `"${modelsKey}"`,
        { requested: formatList("requested"), forwarded: formatList("forwarded") },
      ]);
    const shuffled = members
      .map((member, i) => ({ member, rank: order[i % order.length] ?? 0 }))
      .toSorted((a, b) => a.rank - b.rank);
    const formatBody = (which: keyof Member): string =>
      formatObject(
        shuffled.map(({ member: [key, value] }) => [key, value[which]]),
        gaps,
      );
    return { requested: formatBody("requested"), forwarded: formatBody("forwarded"), model, models };
  });

test("readChatRequest removes only the prefix of model ids, in any JSON spelling", () => {
  fc.assert(
    fc.property(chatBodies, ({ requested, forwarded, model, models }) => {
      const expected = JSON.parse(requested) as Record<string, unknown>;
      if (model) expected["model"] = model.forwarded;
      if (models) expected["models"] = models.map((id) => id.forwarded);

      const request = readChatRequest(Buffer.from(requested));

      expect(request.body.toString()).toBe(forwarded);
      assert.deepStrictEqual(JSON.parse(request.body.toString()), expected);
      expect(request.requestedModel).toBe((model ?? models?.[0])?.requested);
      expect(request.forwardedModel).toBe((model ?? models?.[0])?.forwarded);
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

test("cutInPlace returns the same bytes as a copy would have, and changes no memory outside of the buffer", () => {
  fc.assert(
    fc.property(bytesAndCuts, ({ bytes, cuts }) => {
      const isKept = (at: number): boolean => !cuts.some(({ start, end }) => at >= start && at < end);
      const expected = Array.from(bytes).filter((_, at) => isKept(at));
      const memory = Buffer.alloc(bytes.length + 2 * GUARD, 0xee);
      const body = memory.subarray(GUARD, GUARD + bytes.length);
      body.set(bytes);

      const result = cutInPlace(body, cuts);

      expect(Array.from(result)).toEqual(expected);
      expect(result.buffer).toBe(memory.buffer);
      expect(result.byteOffset).toBeGreaterThanOrEqual(body.byteOffset);
      expect(result.byteOffset + result.length).toBeLessThanOrEqual(body.byteOffset + body.length);
      const guards = [...memory.subarray(0, GUARD), ...memory.subarray(-GUARD)];
      expect(new Set(guards)).toEqual(new Set([0xee]));
    }),
    { numRuns: 2_000 },
  );
});

test("cutInPlace does not move the longest run between two cuts", () => {
  const text = `${"a".repeat(5)}--${"b".repeat(900)}--${"c".repeat(7)}--d`;
  const body = Buffer.from(text);
  const longestRunAt = body.byteOffset + text.indexOf("b");
  const cuts = [...text.matchAll(/--/g)].map(({ index }) => ({ start: index, end: index + 2 }));
  const result = cutInPlace(body, cuts);
  expect(result.toString()).toBe(text.replaceAll("-", ""));
  expect(result.byteOffset + result.indexOf("b")).toBe(longestRunAt);
});

test("readChatRequest returns the given bytes without a copy when no model id has a prefix", () => {
  const given = Buffer.from('{"model":"openai/x","messages":[{"role":"user","content":"hi"}]}');
  const { body: result } = readChatRequest(given);
  expect(result.buffer).toBe(given.buffer);
  expect([result.byteOffset, result.length]).toEqual([given.byteOffset, given.length]);
});

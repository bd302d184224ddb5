import * as fc from "fast-check";

/**
 * Generators of JSON texts in every spelling that the grammar allows. A serialiser would always write a value in the
 * same way.
 */

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function unicodeEscape(unit: string, upper: boolean): string {
  const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
  return `\\u${upper ? hex.toUpperCase() : hex}`;
}

/** Generates the content of a JSON string for `text`, with each character in one of its legal spellings. */
export function spellString(text: string): fc.Arbitrary<string> {
  const ways = Array.from(text, (character) => {
    const units = Array.from({ length: character.length }, (_, i) => character.charAt(i));
    const escapes = [false, true].map((upper) => units.map((unit) => unicodeEscape(unit, upper)).join(""));
    const short = SHORT_ESCAPES[character];
    const mayBeRaw = character >= " " && character !== '"' && character !== "\\" && character.isWellFormed();
    return fc.constantFrom(
      ...(mayBeRaw ? [character, character, character] : []),
      ...(short === undefined ? [] : [short]),
      ...escapes,
    );
  });
  return fc.tuple(...ways).map((parts) => parts.join(""));
}

export const whitespace: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  fc.array(fc.constantFrom(" ", "\n", "\t", "\r"), { maxLength: 5 }).map((parts) => parts.join("")),
);

/** Any text, including lone surrogates. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(
    "",
    "\ud800",
    "a\udc00b",
    "\u2028\u2029",
    "openrouter/openai/x",
    '{"model":"openrouter/a/b"}',
  ),
);

/** Strings long enough to exceed any limit of a scanner, full of quotes, backslashes and brackets. */
export const longStringToken: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.nat(70).map((length) => "a".repeat(length)),
      fc.nat(6).map((pairs) => "\\\\".repeat(pairs)),
      fc.nat(6).map((pairs) => `${"\\\\".repeat(pairs)}\\"`),
      fc.constantFrom("\\u005c", "\\u0022", "é", "🌊", "{", "}", "[", "]", ",", ":", '\\",\\"model\\":\\"'),
    ),
    { maxLength: 24 },
  )
  .map((parts) => `"${parts.join("")}"`);

export const stringToken: fc.Arbitrary<string> = fc.oneof(
  anyText.chain(spellString).map((inside) => `"${inside}"`),
  longStringToken,
);

const numberToken: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1e400",
    "-1E+400",
    "1e-400",
    "9223372036854775807",
    "0.1e1",
    "5E-324",
  ),
  fc.bigInt().map(String),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => JSON.stringify(number)),
);

export const keyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("model", "models", "__proto__", "constructor", "", "Model", "model\u0000", "messages"),
  anyText,
);

/** Formats an object from members whose keys and values are JSON texts. @param gaps whitespace between the tokens. */
export function formatObject(
  members: readonly (readonly [key: string, value: string])[],
  gaps: string[],
): string {
  const gap = (index: number): string => gaps[index % Math.max(1, gaps.length)] ?? "";
  const inside = members.map(
    ([key, value], i) => gap(i) + key + gap(i + 1) + ":" + gap(i + 2) + value + gap(i + 3),
  );
  return `${gap(5)}{${inside.join(",") || gap(6)}}${gap(7)}`;
}

/** Any JSON value, including objects with `model` keys and repeated keys at every level. */
export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string; array: string; object: string }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      stringToken,
      numberToken,
      fc.constantFrom("true", "false", "null"),
      tie("array"),
      tie("object"),
    ),
    array: fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), whitespace)
      .map(([items, gap]) => `[${gap}${items.join(`${gap},${gap}`)}${gap}]`),
    object: fc
      .tuple(
        fc.array(
          fc.tuple(
            keyText.chain(spellString).map((key) => `"${key}"`),
            tie("value"),
          ),
          { maxLength: 4 },
        ),
        fc.array(whitespace, { minLength: 1, maxLength: 8 }),
      )
      .map(([members, gaps]) => formatObject(members, gaps)),
  }),
).value;

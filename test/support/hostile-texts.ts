/** Request bodies whose parsing could take more CPU time than their size justifies. Most have several megabytes. */

const MEGABYTE = 1_000_000;
const BULK_BYTES = 16 * MEGABYTE;
const MESSAGES = '"messages":[{"role":"user","content":"hi"}]';

function list(count: number, item: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(",");
}

/** Repeats `unit` until it fills a large body. */
function bulk(unit: string, bytes = BULK_BYTES): string {
  return unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit)));
}

function hashToKey(index: number): string {
  return (Math.imul(index + 1, 2_654_435_761) >>> 0).toString(36);
}

const around = (value: string): string => `{"model":"a/b","x":${value},${MESSAGES}}`;
const having = (field: string): string => `{"model":"a/b",${field},${MESSAGES}}`;
const saying = (unit: string): string =>
  `{"model":"a/b","messages":[{"role":"user","content":"${bulk(unit)}"}]}`;
const parts = (count: number): string =>
  `{"model":"a/b","messages":[{"role":"user","content":[${'{"type":"text","text":"a"},'.repeat(count)}{"type":1}]}]}`;
const names = (count: number): string => list(count, (index) => `"${"a".repeat(250)}${index}"`);

const escapedKey = (length: number): string => `{"\\u0061${"a".repeat(length)}":1}`;

/** Pairs of the description of a body and a function that creates the body. */
export const HOSTILE_TEXTS: readonly (readonly [label: string, create: () => string])[] = [
  ["keys with invalid escapes", () => `{${bulk('"\\q",', 5 * MEGABYTE)}`],
  ["nested keys with invalid escapes", () => `{"x":[${'{"\\q":1},'.repeat(45_000)}1]}`],
  ["a million top-level keys", () => `{${list(1_000_000, (index) => `"k${index}":1`)}}`],
  ["the most top-level keys allowed", () => having(list(990, (index) => `"k${index}":1`))],
  ["a million models", () => `{"models":[${list(1_000_000, (index) => `"a/${index}"`)}],${MESSAGES}}`],
  ["90,000 models", () => `{"models":[${list(90_000, (index) => `"a/${index}"`)}],${MESSAGES}}`],
  ["the most models allowed", () => `{"models":[${names(64)}],"speed":"fast",${MESSAGES}}`],
  ["a model id of @ characters", () => `{"model":"${bulk("@")}",${MESSAGES}}`],
  ["a model id of / characters", () => `{"model":"openrouter/${bulk("/")}",${MESSAGES}}`],
  ["a model id of * characters", () => `{"model":"${bulk("*")}",${MESSAGES}}`],
  ["a preset of @ characters", () => `{"preset":"${bulk("@")}",${MESSAGES}}`],
  ["60,000 keys that are array indices", () => around(`{${list(60_000, (i) => `"${i * 65_536}":1`)}}`)],
  ["200,000 keys", () => around(`{${list(200_000, (index) => `"k${index}":1`)}}`)],
  [
    "objects whose keys are all different",
    () => around(`[${list(980, (j) => `{${list(100, (i) => `"${hashToKey(j * 100 + i)}":1`)}}`)}]`),
  ],
  ["deep arrays", () => around("[".repeat(500_000))],
  ["deep objects", () => around('{"a":'.repeat(500_000))],
  ["deep tools", () => having(`"tools":[${'{"type":"x","parameters":{"tools":['.repeat(150_000)}`)],
  [
    "190 arrays with 500 levels of nesting",
    () => around(`[${list(190, () => "[".repeat(500) + "]".repeat(500))}]`),
  ],
  ["backslashes", () => saying("\\\\")],
  ["escaped quotes", () => saying('\\"')],
  ["escaped quotes 66 bytes apart", () => saying(`${"a".repeat(64)}\\"`)],
  ["ASCII escapes", () => saying("\\u0041")],
  ["line breaks", () => saying("\\n")],
  ["whitespace", () => `{${bulk(" ")}"model":"a/b",${MESSAGES}}`],
  ["whitespace at the end", () => `{"model":"a/b",${MESSAGES}}${bulk("\n")}`],
  ["duplicate keys", () => having('"a":1,'.repeat(900) + '"a":1')],
  ["closing brackets", () => bulk("]")],
  ["opening brackets", () => bulk("[")],
  ["commas", () => `{${bulk(",")}`],
  ["colons after a long string", () => `{"${bulk("a", 8 * MEGABYTE)}"${bulk(":", 8 * MEGABYTE)}`],
  ["quotes", () => `{${bulk('"')}`],
  ["strings without commas", () => `{x${bulk('"\\\\"')}`],
  ["text that is not JSON", () => `{${bulk("x")}`],
  ["a truncated string", () => saying("\\\\").slice(0, -8)],
  ["a long number", () => around(bulk("1"))],
  ["a long fraction", () => around(`0.${bulk("1")}`)],
  ["a long escaped key", () => having(`"${bulk("\\u0041")}":1`)],
  ["a key of escaped line breaks", () => having(`"${bulk("\\n")}":1`)],
  ["long keys that begin with an escape", () => around(`[${list(49_000, () => escapedKey(300))}]`)],
  ["escaped keys", () => around(`[${'{"\\u0061":1},'.repeat(49_000)}1]`)],
  ["a million tools", () => having(`"tools":[${'{"type":"x"},'.repeat(1_000_000)}{}]`)],
  ["the most tools allowed", () => having(`"tools":[${'{"type":"x"},'.repeat(49_000)}{}]`)],
  ["the most functions allowed", () => having(`"tools":[${'{"function":{"name":"x"}},'.repeat(33_000)}{}]`)],
  ["plugins that call models", () => having(`"plugins":[${'{"id":"fusion"},'.repeat(49_000)}{}]`)],
  ["an error after 200,000 parts", () => parts(200_000)],
  ["an error after 33,000 parts", () => parts(33_000)],
  ["invalid UTF-8 at the end", () => `${bulk("a")}\ud800`],
];

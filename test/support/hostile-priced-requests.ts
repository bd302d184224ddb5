import { HOSTILE_TEXTS } from "./hostile-texts.ts";

const BULK_BYTES = 8_000_000;

function list(count: number, item: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(",");
}

function bulk(unit: string): string {
  return unit.repeat(Math.ceil(BULK_BYTES / Buffer.byteLength(unit)));
}

const having = (field: string): string =>
  `{"model":"a/b",${field},"messages":[{"role":"user","content":"hi"}]}`;
const result = (content: string): string =>
  `{"model":"a/b","messages":[{"role":"tool","content":"${content}"}]}`;
const tool = (parameters: string): string =>
  `{"type":"function","function":{"name":"f","parameters":${parameters}}}`;
const described = (text: string): string =>
  having(`"tools":[{"type":"function","function":{"name":"f","description":"${text}"}}]`);
/** Lists texts that consist of a number and many line breaks. */
const texts = (count: number, length: number): string =>
  list(count, (index) => `"${index}${"\\n".repeat(length)}"`);
const calls = (fields: string, count = 1): string =>
  `{"model":"a/b","messages":[${list(count, () => `{"role":"assistant","tool_calls":[{"function":{"arguments":${fields}}}]}`)}]}`;
const refs = (definitions: string, count: number, pointer: (index: number) => string): string =>
  having(
    `"tools":[${tool(`{${definitions},"anyOf":[${list(count, (i) => `{"$ref":"#/${pointer(i)}"}`)}]}`)}]`,
  );
/** Writes the letter `a` 16 times. For each bit of `index` that is set, one of the letters is written as `%61`. */
const spelled = (index: number): string =>
  Array.from({ length: 16 }, (_, bit) => ((index >> bit) & 1 ? "%61" : "a")).join("");

/** Requests whose estimate could take more CPU time than their size justifies: labels, and functions that create bodies. */
export const HOSTILE_REQUESTS: readonly (readonly [label: string, create: () => string])[] = [
  ...HOSTILE_TEXTS,
  ["a long prompt", () => having(`"x":"${bulk("lorem ipsum ")}"`)],
  ["characters near U+FDFA", () => having(`"x":"${bulk("\ufdf9")}"`)],
  ["characters to escape", () => having(`"x":"${bulk("<>&'")}"`)],
  ["9,000 tools", () => having(`"tools":[${list(9_000, () => tool('{"type":"object"}'))}]`)],
  ["20,000 functions", () => having(`"functions":[${list(20_000, () => '{"name":"f"}')}]`)],
  ["20,000 references", () => refs('"a":{"type":"object"}', 20_000, () => "a")],
  ["20,000 references to a long text", () => refs(`"a":"${"x".repeat(100_000)}"`, 20_000, () => "a")],
  [
    "20,000 references with different spellings",
    () => refs(`"${"a".repeat(16)}":"${"x".repeat(100_000)}"`, 20_000, spelled),
  ],
  ["long references", () => refs('"a":1', 20_000, (index) => `${index}${"/a".repeat(200)}`)],
  ["references with bad escapes", () => refs('"a":1', 20_000, (index) => `%${index}`)],
  ["a long description", () => described(bulk("lorem "))],
  ["a description of line breaks", () => described(bulk("\\n"))],
  ["short texts in a schema", () => having(`"tools":[${tool(`{"enum":[${texts(90_000, 40)}]}`)}]`)],
  ["calls with texts in objects", () => calls(`{"a":[${texts(90_000, 40)}]}`)],
  ["many calls with long texts in objects", () => calls(`{"a":"${"x".repeat(20_000)}"}`, 1_600)],
  ["a long prediction", () => having(`"prediction":{"type":"content","content":"${bulk("\\\\")}"}`)],
  ["90,000 provider slugs", () => having(`"provider":{"only":[${list(90_000, (i) => `"p/${i}"`)}]}`)],
  ["a long provider slug", () => having(`"provider":{"order":["p/${bulk("A")}"]}`)],
  ["a provider slug that is not a string", () => having('"provider":{"only":[{"toString":1,"valueOf":1}]}')],
  ["60 models", () => having(`"models":[${list(60, (index) => `"a/${index}"`)}]`)],
  ["a tool result of many values", () => result(`[${bulk("{},")}{}]`)],
  ["a tool result of many keys", () => result(`[${list(500_000, (index) => `{\\"k${index}\\":1}`)}]`)],
  ["a deep tool result", () => result(bulk("["))],
  ["a tool result of spaces", () => result(`${bulk(" ")}x`)],
  ["a long maximal price", () => having(`"provider":{"max_price":{"prompt":"${bulk("1")}"}}`)],
  ["many unknown fields", () => having(list(980, (index) => `"k${index}":1`))],
];

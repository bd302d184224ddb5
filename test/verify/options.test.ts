import { expect, test } from "vitest";
import { parseOptions, UsageError } from "../../tools/verify/options.ts";

const NEEDED = ["--gateway", "http://127.0.0.1:8080/openai/v1", "--key", "sk-1"];

test("uses defaults for omitted options", () => {
  expect(parseOptions(NEEDED)).toEqual({
    gateway: "http://127.0.0.1:8080/openai/v1",
    key: "sk-1",
    headers: {},
    format: "text",
    upstreamPort: 9180,
    only: undefined,
    skip: [],
    list: false,
  });
});

test("parses every option", () => {
  const more = ["--header", "X-A: b:c", "--header", "x-d:e", "--format=json", "--upstream-port", "9181"];
  const chosen = ["--only", "cut/no-done, cancel/plain", "--skip", "model,own-errors"];
  expect(parseOptions([...NEEDED, ...more, ...chosen])).toMatchObject({
    headers: { "x-a": "b:c", "x-d": "e" },
    format: "json",
    upstreamPort: 9181,
    only: ["cut/no-done", "cancel/plain"],
    skip: ["model", "own-errors"],
  });
});

test("--list needs no gateway", () => {
  expect(parseOptions(["--list"]).list).toBe(true);
});

test.each([
  ["--gateway", ["--key", "k"]],
  ["--gateway", ["--gateway", "ftp://x", "--key", "k"]],
  ["--key", ["--gateway", "http://x"]],
  ["--key", ["--gateway", "http://x", "--key", "a b"]],
  ["--only", [...NEEDED, "--only", "no/such"]],
  ["--skip", [...NEEDED, "--skip", "nothing"]],
  ["--format", [...NEEDED, "--format", "xml"]],
  ["--upstream-port", [...NEEDED, "--upstream-port", "0"]],
  ["--upstream-port", [...NEEDED, "--upstream-port", "70000"]],
  ["--header", [...NEEDED, "--header", "no colon"]],
  ["--header", [...NEEDED, "--header", "a: b\r\nc: d"]],
  ["--other", [...NEEDED, "--other"]],
])("rejects an invalid %s", (flag, args) => {
  expect(() => parseOptions(args)).toThrow(UsageError);
  expect(() => parseOptions(args)).toThrow(flag);
});

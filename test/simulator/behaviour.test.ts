import { expect, test } from "vitest";
import { BEHAVIOUR_NAMES, parseBehaviour } from "../../tools/simulator/behaviour.ts";

test("a name alone has every option at its default", () => {
  const plan = parseBehaviour("cut");
  expect(plan).toMatchObject({ name: "cut", own: { after: 2, half: 0 }, common: { events: 6, gapMs: 0 } });
});

test("own and common options are read from one list", () => {
  const plan = parseBehaviour("error:status=429,retryAfter=1,delayMs=5");
  expect(plan).toMatchObject({ own: { status: 429, retryAfter: 1 }, common: { delayMs: 5 } });
});

test("every behaviour parses by its name", () => {
  expect(BEHAVIOUR_NAMES.map((name) => parseBehaviour(name))).not.toContainEqual(
    expect.objectContaining({ mistake: expect.anything() as string }),
  );
});

test("a text option keeps its text", () => {
  expect(parseBehaviour("flaky:id=abc,times=3")).toMatchObject({ own: { id: "abc", times: 3 } });
});

test.each([
  ["nonsense", "Unknown behaviour"],
  ["ok:colour=1", 'Unknown option "colour"'],
  ["ok:constructor=1", 'Unknown option "constructor"'],
  ["ok:", 'Unknown option ""'],
  ["ok:events=many", 'Option "events" must be a whole number'],
  ["ok:events=-1", 'Option "events" must be a whole number'],
  ["ok:gapMs=99999999999", 'Option "gapMs" must be a whole number'],
  ["error:status=42", 'Option "status" must be a status'],
])("%s is answered with what is wrong and what is known", (text, what) => {
  const result = parseBehaviour(text);
  expect(result).toMatchObject({ mistake: expect.stringContaining(what) as string });
  expect(JSON.stringify(result)).toMatch(/known: ok, error|options of behaviour .*: .*events, delayMs/);
});

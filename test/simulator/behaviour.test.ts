import { expect, test } from "vitest";
import { BEHAVIOUR_NAMES, parseBehaviour } from "../../tools/simulator/behaviour.ts";

test("a behaviour without options has the defaults", () => {
  const plan = parseBehaviour("cut");
  expect(plan).toMatchObject({ name: "cut", own: { after: 2, half: 0 }, common: { events: 6, gapMs: 0 } });
});

test("parses specific and common options from one list", () => {
  const plan = parseBehaviour("error:status=429,retryAfter=1,delayMs=5");
  expect(plan).toMatchObject({ own: { status: 429, retryAfter: 1 }, common: { delayMs: 5 } });
});

test("parses every behaviour by its name", () => {
  expect(BEHAVIOUR_NAMES.map((name) => parseBehaviour(name))).not.toContainEqual(
    expect.objectContaining({ mistake: expect.anything() as string }),
  );
});

test("keeps the text of a text option", () => {
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
])("rejects %s with the mistake and the known names", (text, mistake) => {
  const result = parseBehaviour(text);
  expect(result).toMatchObject({ mistake: expect.stringContaining(mistake) as string });
  expect(JSON.stringify(result)).toMatch(/known: ok, error|options of behaviour .*: .*events, delayMs/);
});

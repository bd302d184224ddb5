import { expect, test } from "vitest";
import { toColumnText, toMessageText, truncate } from "../src/bounded-text.ts";

test("truncate appends an ellipsis only to a text that exceeds the limit", () => {
  expect(truncate("abc", 3)).toBe("abc");
  expect(truncate("abcd", 3)).toBe("abc…");
  expect(truncate("", 0)).toBe("");
});

test("toMessageText replaces each code unit that is not printable ASCII", () => {
  expect(toMessageText("a b~\u0000\u001b\u007fé", 10)).toBe("a b~????");
  expect(toMessageText("\u{1f600}…", 3)).toBe("???");
  expect(toMessageText("éé\u{1f600}", 3)).toBe("???…");
});

test("toColumnText removes NUL, replaces lone surrogates, and returns at most 128 code units", () => {
  expect(toColumnText(`a\0b`)).toBe("ab");
  expect(toColumnText("\ud83d")).toBe("\ufffd");
  expect(toColumnText(`${"x".repeat(127)}\u{1f600}`)).toBe(`${"x".repeat(127)}\ufffd`);
  expect(toColumnText("x".repeat(200))).toBe("x".repeat(128));
});

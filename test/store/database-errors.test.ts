import { expect, test } from "vitest";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { rowFaultContract } from "./database-errors-contract.ts";

rowFaultContract(() => openTestDatabase());

const failing = (fields: object): Error => Object.assign(new Error("it failed"), fields);

test.each([
  ["a constraint of SQLite's", { code: "ERR_SQLITE_ERROR", errcode: 1_299 }, true],
  ["SQLite that is busy", { code: "ERR_SQLITE_ERROR", errcode: 5 }, false],
  ["SQLite that is busy recovering", { code: "ERR_SQLITE_ERROR", errcode: 261 }, false],
  ["a full disk under SQLite", { code: "ERR_SQLITE_ERROR", errcode: 13 }, false],
  ["SQLite that may only be read", { code: "ERR_SQLITE_ERROR", errcode: 8 }, false],
  ["a value that Node does not bind", { code: "ERR_INVALID_ARG_TYPE" }, true],
  ["a number out of range", { code: "22003" }, true],
  ["text that no database takes", { code: "22P05" }, true],
  ["a row that stands twice", { code: "21000" }, true],
  ["a deadlock", { code: "40P01" }, false],
  ["a statement that took too long", { code: "57014" }, false],
  ["a full disk under PostgreSQL", { code: "53100" }, false],
  ["PostgreSQL that may only be read", { code: "25006" }, false],
  ["a table that is not there", { code: "42P01" }, false],
  ["a connection that is refused", { code: "ECONNREFUSED" }, false],
  ["an error without a code", {}, false],
])("%s: %o is a fault of a row: %s", (_, fields, expected) => {
  expect(isInvalidRow(failing(fields))).toBe(expected);
});

test("what is no error is no fault of a row", () => {
  for (const error of [undefined, null, "22003", { code: "22003" }]) expect(isInvalidRow(error)).toBe(false);
});

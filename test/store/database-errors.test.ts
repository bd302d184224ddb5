import { expect, test } from "vitest";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { databaseErrorsContract } from "./database-errors-contract.ts";

databaseErrorsContract(() => openTestDatabase());

const failing = (fields: object): Error => Object.assign(new Error("it failed"), fields);

test.each([
  ["a SQLite constraint violation", { code: "ERR_SQLITE_ERROR", errcode: 1_299 }, true],
  ["a busy SQLite database", { code: "ERR_SQLITE_ERROR", errcode: 5 }, false],
  ["a SQLite database in recovery", { code: "ERR_SQLITE_ERROR", errcode: 261 }, false],
  ["a full disk (SQLite)", { code: "ERR_SQLITE_ERROR", errcode: 13 }, false],
  ["a read-only SQLite database", { code: "ERR_SQLITE_ERROR", errcode: 8 }, false],
  ["a value that Node cannot bind", { code: "ERR_INVALID_ARG_TYPE" }, true],
  ["a number out of range", { code: "22003" }, true],
  ["text that PostgreSQL cannot store", { code: "22P05" }, true],
  ["a row that occurs twice", { code: "21000" }, true],
  ["a deadlock", { code: "40P01" }, false],
  ["a cancelled statement", { code: "57014" }, false],
  ["a full disk (PostgreSQL)", { code: "53100" }, false],
  ["read-only PostgreSQL", { code: "25006" }, false],
  ["a missing table", { code: "42P01" }, false],
  ["a refused connection", { code: "ECONNREFUSED" }, false],
  ["an error without a code", {}, false],
])("isInvalidRow, given %s (%o), returns %s", (_, fields, expected) => {
  expect(isInvalidRow(failing(fields))).toBe(expected);
});

test("isInvalidRow returns false for a value that is not an Error", () => {
  for (const error of [undefined, null, "22003", { code: "22003" }]) expect(isInvalidRow(error)).toBe(false);
});

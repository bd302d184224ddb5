import { onTestFinished } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { temporaryDirectory } from "../support/store.ts";
import { migrationsContract } from "./migrations-contract.ts";

migrationsContract(() => {
  const database = openDatabase({ dataDir: temporaryDirectory(), databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  return Promise.resolve(database);
});

import { onTestFinished } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { migrationsContract } from "./migrations-contract.ts";

migrationsContract(() => {
  const database = openDatabase({ dataDir: createTemporaryDirectory(), databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  return Promise.resolve(database);
});

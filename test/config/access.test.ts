import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { listMistakes } from "../support/config-mistakes.ts";

const SECRET = "s3cr3t-do-not-show";

test.each([{ GATEWAY_API_KEYS: undefined }, { GATEWAY_API_KEYS: "" }, { GATEWAY_API_KEYS: " , ," }])(
  "a gateway with an account and no configured keys has a store for its keys: %j",
  ({ GATEWAY_API_KEYS: keys = "" }) => {
    const config = loadConfig({ OPENROUTER_API_KEY: SECRET, GATEWAY_API_KEYS: keys });
    expect(config.store).toEqual({
      dataDir: "data",
      isDataDirPersistent: true,
      databaseUrl: undefined,
      outageGraceMs: 3_600_000,
    });
    expect(config.allowAnonymous).toBe(false);
  },
);

test.each([{ GATEWAY_API_KEYS: "team:sk-a" }, { ALLOW_ANONYMOUS: "true" }])(
  "a gateway with an account and %j has a store only if DATA_DIR or DATABASE_URL is set",
  (env) => {
    const account = { OPENROUTER_API_KEY: "x", ...env };
    expect(loadConfig(account).store).toBeUndefined();
    expect(loadConfig({ ...account, DATA_DIR: "/x" }).store).toMatchObject({
      dataDir: "/x",
      databaseUrl: undefined,
    });
    expect(loadConfig({ ...account, DATABASE_URL: "postgresql://db/x" }).store).toMatchObject({
      dataDir: "data",
      databaseUrl: "postgresql://db/x",
    });
  },
);

test("without an account, DATA_DIR is ignored and DATABASE_URL is a mistake", () => {
  expect(loadConfig({ DATA_DIR: "/x" }).store).toBeUndefined();
  expect(listMistakes({ DATABASE_URL: "postgres://db/x" })).toEqual([
    expect.stringContaining("without OPENROUTER_API_KEY"),
  ]);
});

test("the data directory is persistent with SQLite, and with PostgreSQL only if DATA_DIR_PERSISTENT is true", () => {
  const persistent = (env: Record<string, string>): boolean | undefined =>
    loadConfig({ OPENROUTER_API_KEY: "x", ...env }).store?.isDataDirPersistent;
  const postgres = { DATABASE_URL: "postgres://db/x" };
  expect(persistent({})).toBe(true);
  expect(persistent({ DATA_DIR_PERSISTENT: "true" })).toBe(true);
  expect(persistent(postgres)).toBe(false);
  expect(persistent({ ...postgres, DATA_DIR_PERSISTENT: "false" })).toBe(false);
  expect(persistent({ ...postgres, DATA_DIR_PERSISTENT: "true" })).toBe(true);
});

test.each([{}, { DATA_DIR: "/x" }, { DATA_DIR: "/x", GATEWAY_API_KEYS: "team:sk-a" }])(
  "DATA_DIR_PERSISTENT=false is a mistake with SQLite, whose file is in the data directory: %j",
  (env) => {
    expect(listMistakes({ OPENROUTER_API_KEY: "x", DATA_DIR_PERSISTENT: "false", ...env })).toEqual([
      expect.stringContaining("without DATABASE_URL"),
    ]);
  },
);

test.each([
  {},
  { OPENROUTER_API_KEY: "x", GATEWAY_API_KEYS: "team:sk-a" },
  { OPENROUTER_API_KEY: "x", ALLOW_ANONYMOUS: "true" },
])("DATA_DIR_PERSISTENT=false is valid without a store: %j", (env) => {
  expect(loadConfig({ DATA_DIR_PERSISTENT: "false", ...env }).store).toBeUndefined();
});

test("a gateway with an account allows anonymous requests only with ALLOW_ANONYMOUS=true", () => {
  expect(loadConfig({ OPENROUTER_API_KEY: "x", ALLOW_ANONYMOUS: "true" }).allowAnonymous).toBe(true);
  expect(loadConfig({ OPENROUTER_API_KEY: "x", ALLOW_ANONYMOUS: "false" }).allowAnonymous).toBe(false);
});

test("gateway keys without an account are a mistake, because the gateway would forward them", () => {
  const mistakes = listMistakes({ GATEWAY_API_KEYS: `team:${SECRET}` });
  expect(mistakes).toEqual([expect.stringContaining("without OPENROUTER_API_KEY")]);
  expect(mistakes.join()).not.toContain(SECRET);
});

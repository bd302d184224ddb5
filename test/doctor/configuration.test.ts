import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { listFindings, listWithoutRemedy, runDoctor } from "../support/doctor.ts";

test("every mistake is a finding without its value, and the checks that need no mistaken setting still run", async () => {
  const findings = await runDoctor({
    DATA_DIR: createTemporaryDirectory(),
    PORT: "eighty",
    REDIS_URL: "http://user:secret-redis@x",
    OPENROUTER_MANAGEMENT_KEY: "two secret-words",
    MAX_IN_FLIGHT: "0",
  });
  expect(listFindings(findings, "configuration")).toEqual([
    "failed: PORT must be a whole number from 0 to 65535.",
    "failed: OPENROUTER_MANAGEMENT_KEY must be one OpenRouter key without spaces.",
    "failed: REDIS_URL must be a redis:// or rediss:// URL.",
    "failed: MAX_IN_FLIGHT must be a whole number from 1 to 1000000.",
  ]);
  expect(listFindings(findings, "redis")).toEqual(["skipped: Not checked, because REDIS_URL has a mistake."]);
  expect(listFindings(findings, "descriptors")).toEqual([
    "skipped: Not checked, because MAX_IN_FLIGHT has a mistake.",
  ]);
  expect(listFindings(findings, "data directory")[0]).toMatch(/^ok: .* is writable/);
  expect(JSON.stringify(findings)).not.toContain("secret");
  expect(listWithoutRemedy(findings)).toEqual([]);
});

test.each([
  [{ OPENROUTER_API_KEY: undefined }, "Clients send their own OpenRouter keys"],
  [{ GATEWAY_API_KEYS: "a:sk-a-0123456789" }, "no database and no Redis"],
  [{ REDIS_URL: "redis://127.0.0.1:1" }, "SQLite and Redis"],
])("states the mode of %j", async (env, words) => {
  const findings = await runDoctor({ DATA_DIR: undefined, ...env });
  expect(listFindings(findings, "configuration")).toEqual([expect.stringContaining(words)]);
  expect(listFindings(findings, "configuration")[0]).toMatch(/^ok: /);
});

test("a configuration that cannot be used at all leaves the findings that need none", async () => {
  const findings = await runDoctor({
    OPENROUTER_API_KEY: "",
    GATEWAY_API_KEYS: "a:sk-a-0123456789",
    DATABASE_URL: "x",
  });
  expect(listFindings(findings, "configuration").length).toBeGreaterThan(1);
  expect(listFindings(findings, "node")).toEqual([`ok: Node ${process.version} on linux ${process.arch}.`]);
});

test.each(["OPENROUTER_API_KEY", "OPENROUTER_API_KEY_FILE"])(
  "a mistake in %s leaves the checks of data directory and database",
  async (name) => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const directory = createTemporaryDirectory();
    const path = join(directory, "key");
    writeFileSync(path, "two secret-words");
    const findings = await runDoctor({
      OPENROUTER_API_KEY: undefined,
      [name]: name.endsWith("_FILE") ? path : "two secret-words",
      OPENROUTER_BASE_URL: simulator.baseUrl,
      DATA_DIR: directory,
    });
    expect(listFindings(findings, "configuration")).toEqual([
      "failed: OPENROUTER_API_KEY must be one OpenRouter key without spaces.",
    ]);
    expect(listFindings(findings, "data directory")[0]).toMatch(/^ok: .* is writable/);
    expect(listFindings(findings, "database")[0]).toMatch(/^warning: The database .* does not exist/);
    expect(listFindings(findings, "upstream").at(-1)).toBe(
      "skipped: OPENROUTER_API_KEY was not checked, because it has a mistake.",
    );
    expect(JSON.stringify(findings)).not.toContain("secret");
  },
);

import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { checkDescriptors, checkMemory, checkNode } from "../../src/doctor/runtime.ts";
import { readOpenFilesLimit } from "../../src/http/descriptor-limit.ts";

const MIB = 1_048_576;
const GIB = 1024 * MIB;

test("names npm and its Node", () => {
  expect(checkNode("npm/11.0.0 node/v20.19.0 linux x64 workspaces/false")[0]?.finding).toContain(
    "started by npm 11.0.0 on Node v20.19.0",
  );
});

test("compares the limit of open files with MAX_IN_FLIGHT and MAX_CONNECTIONS", () => {
  const limit = readOpenFilesLimit() ?? 0;
  const fits = Math.floor((limit - 64) / 2);
  const check = (env: Record<string, string>) => checkDescriptors(loadConfig(env))[0];
  expect(check({ MAX_IN_FLIGHT: String(Math.min(fits, 100)) })).toMatchObject({ status: "ok" });
  const more = Math.min(fits + 1, 1_000_000);
  if (more <= fits) throw new Error("the limit of open files of this machine is too high for this test");
  expect(check({ MAX_IN_FLIGHT: String(more) })).toMatchObject({
    status: "warning",
    remedy: expect.stringContaining(`LimitNOFILE=${2 * more + 64}`),
  });
  expect(check({ MAX_IN_FLIGHT: "10", MAX_CONNECTIONS: String(more) })).toMatchObject({
    status: "failed",
    remedy: expect.stringContaining(`MAX_CONNECTIONS to at most ${fits}`),
  });
});

test.each([
  [{ container: 2 * GIB, heap: GIB }, 512 * MIB, "ok", "This container may use 2 GiB"],
  [{ container: undefined, heap: GIB }, 512 * MIB, "ok", "This machine has 8 GiB"],
  [{ container: 512 * MIB, heap: 259 * MIB }, 128 * MIB, "warning", "Under load the system can kill"],
  [{ container: 512 * MIB, heap: 4 * GIB }, GIB, "failed", "Bodies alone"],
])("with the memory %j and BODY_MEMORY_BYTES %d the status is %s", (limits, bodies, status, words) => {
  const config = loadConfig({ BODY_MEMORY_BYTES: String(bodies) });
  const [result] = checkMemory(config, { machine: 8 * GIB, ...limits });
  expect(result).toMatchObject({ status, finding: expect.stringContaining(words) });
});

test("the remedies for too little memory have numbers that fit", () => {
  const config = loadConfig({ BODY_MEMORY_BYTES: String(512 * MIB) });
  const memory = { machine: 8 * GIB, container: GIB, heap: 768 * MIB };
  const remedy = checkMemory(config, memory)[0]?.remedy ?? "";
  const heapMib = Number(/--max-old-space-size=(\d+)/.exec(remedy)?.[1]);
  expect(heapMib * MIB + 512 * MIB + 128 * MIB).toBeLessThanOrEqual(GIB);
  const bodies = Number(/BODY_MEMORY_BYTES to at most (\d+)/.exec(remedy)?.[1]);
  expect(bodies + 768 * MIB + 128 * MIB).toBeLessThanOrEqual(GIB);
  expect(remedy).toContain("Raise the limit to 1.4 GiB");
});

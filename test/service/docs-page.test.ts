import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { temporaryDirectory } from "../support/store.ts";

test("the page at /docs lists the operations in a browser", async () => {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const { stdout } = await promisify(execFile)(
    "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${temporaryDirectory()}`,
      "--virtual-time-budget=10000",
      "--dump-dom",
      `http://127.0.0.1:${port}/docs/`,
    ],
    { timeout: 60_000, maxBuffer: 50_000_000 },
  );
  for (const text of ["/openai/v1/chat/completions", "/admin/v1/keys/{key}/rotate", "/admin/v1/usage"])
    expect(stdout.replaceAll("<wbr>", "").replaceAll("​", "")).toContain(text);
}, 90_000);

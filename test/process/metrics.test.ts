import { expect, test } from "vitest";
import { CALLER_KEY } from "../support/gateway.ts";
import { runNode } from "../support/run-node.ts";
import { scrape } from "../support/scrape.ts";
import { waitUntil } from "../support/wait.ts";

test("the metrics of a process contain the lines that its log has dropped", async () => {
  const gateway = runNode("src/server.ts", {
    PORT: "0",
    METRICS_PORT: "0",
    OPENROUTER_BASE_URL: "http://127.0.0.1:9/api/v1",
    OPENROUTER_API_KEY: "sk-or-account-0123456789",
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
  });
  const [, url] = await waitUntil(
    () => /"url":"(http:[^"]+\/metrics)"/.exec(gateway.stdout()),
    "the listener for metrics",
    20_000,
  );
  expect((await scrape(url)).sum("sluice_log_lines_dropped_total")).toBe(0);
});

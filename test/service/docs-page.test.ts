import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Opens a page in a real browser. @returns its DOM and its console messages. */
async function browse(url: string): Promise<{ dom: string; console: string }> {
  const options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"];
  const directory = `--user-data-dir=${createTemporaryDirectory()}`;
  const run = promisify(execFile)(
    "chromium",
    [...options, directory, "--virtual-time-budget=10000", "--dump-dom", url],
    { timeout: 60_000, maxBuffer: 50_000_000 },
  );
  const { stdout, stderr } = await run.catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT"
      ? new Error("Chromium is not installed (Debian: apt-get install chromium)")
      : error;
  });
  const messages = stderr.split("\n").filter((line) => line.includes("CONSOLE"));
  // Swagger UI inserts <wbr> and zero-width spaces into long words.
  return { dom: stdout.replaceAll(/<wbr>|\u200b/g, ""), console: messages.join("\n") };
}

test("in a browser, the page at /docs lists the operations and does not violate its content security policy", async () => {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  for (const path of ["/docs", "/docs/"]) {
    const page = await browse(`http://127.0.0.1:${port}${path}`);
    for (const text of [
      "/openai/v1/chat/completions",
      "/admin/v1/keys/{key}/rotate",
      "/admin/v1/usage",
      "Create a key",
    ])
      expect(page.dom).toContain(text);
    expect(page.console).toBe("");
  }
}, 180_000);

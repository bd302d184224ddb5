import { spawn, spawnSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { PAGES, readCodeBlocks } from "../support/documentation.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const MARK = "run by test/process/documented-commands.test.ts";
const DEADLINE_MS = 60_000;

const pages = PAGES.map((page) => ({
  page,
  blocks: readCodeBlocks(page).filter(({ note }) => note === MARK),
})).filter(({ blocks }) => blocks.length > 0);

/** Starts the gateway of the quick start: `npm start` with an OpenRouter key and an empty data directory. @returns its port and keys. */
async function startDocumentedGateway(): Promise<{ port: string; env: Record<string, string> }> {
  const simulator = await startTestSimulator();
  const env = {
    PATH: process.env["PATH"] ?? "",
    OPENROUTER_API_KEY: "sk-or-...",
    OPENROUTER_BASE_URL: simulator.baseUrl,
    DATA_DIR: createTemporaryDirectory(),
  };
  const gateway = spawn("npm", ["start"], { env: { ...env, PORT: "0" }, detached: true });
  onTestFinished(() => void (gateway.pid !== undefined && process.kill(-gateway.pid, "SIGKILL")));
  const output = { stdout: "", stderr: "" };
  gateway.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  gateway.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [, port = ""] = await waitUntil(
    () => /"url":"http:\/\/[\d.]+:(\d+)/.exec(output.stdout),
    "the gateway to listen",
    DEADLINE_MS,
  );
  const [clientKey = "", adminKey = ""] = output.stderr.match(/sk-slc-\w+/g) ?? [];
  return { port, env: { ...env, PORT: port, SLUICE_KEY: clientKey, ADMIN_KEY: adminKey } };
}

test.each(pages)(
  "the marked commands and snippets of $page work in order on a new gateway",
  async ({ blocks }) => {
    const { port, env } = await startDocumentedGateway();
    for (const { line, language, text } of blocks) {
      const script = text.replaceAll(/(localhost|127\.0\.0\.1):8080/g, `127.0.0.1:${port}`);
      const [program, args] =
        language === "js" ? [process.execPath, ["--input-type=module"]] : ["sh", ["-e"]];
      // Not spawnSync, because the simulator runs in this process.
      const run = spawn(program, args, { env, timeout: DEADLINE_MS });
      run.stdin.end(script);
      let printed = "";
      run.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
      run.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
      const code = await new Promise((resolve) => void run.on("close", resolve));
      expect({ line, code, printed }).toMatchObject({ line, code: 0, printed: /\S/ });
      expect(printed).not.toContain('{"error"');
    }
  },
  4 * DEADLINE_MS,
);

test("curl and openssl, which the commands of the pages need, are installed", () => {
  for (const tool of ["curl", "openssl"])
    expect([tool, spawnSync("sh", ["-c", `command -v ${tool}`]).status]).toEqual([tool, 0]);
});

// Runs the fidelity suite against nginx, HAProxy and Caddy with the configurations of docs/fidelity.md. Compares the scores
// with the table on that page.
import { type SpawnOptions, execFileSync, spawn } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import { ENDPOINTS } from "../../tools/verify/endpoints.ts";
import { type Report, runChecks } from "../../tools/verify/run.ts";
import { readCodeBlocks } from "../support/documentation.ts";
import { findFreePort, isListening } from "../support/ports.ts";
import { listFailures, startVerifySimulator, SUITE_TIMEOUT_MS } from "../support/run-verify.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

const PAGE = "docs/fidelity.md";
/** Groups of checks that do not apply to a proxy without keys, or that were not measured, as the page explains. */
const SKIPPED = ["model", "credentials", "own-errors", ...ENDPOINTS.map(({ group }) => group)];

interface Proxy {
  /** The name in the head of the table. In lower case, it is the command, and the language of the code block on the page. */
  readonly name: string;
  /** Arguments that check the file `config`. */
  readonly check: readonly string[];
  /** Arguments that run the proxy in the foreground. */
  readonly run: readonly string[];
}

// The test's nginx has a pid file of its own, because another nginx may use the pid file of Debian's package.
const NGINX = ["-p", ".", "-g", "pid nginx.pid;", "-c", "config"];
const CADDY = ["--adapter", "caddyfile", "--config", "config"];
const PROXIES: readonly Proxy[] = [
  { name: "nginx", check: [...NGINX, "-t"], run: NGINX },
  { name: "HAProxy", check: ["-c", "-f", "config"], run: ["-db", "-f", "config"] },
  { name: "Caddy", check: ["validate", ...CADDY], run: ["run", ...CADDY] },
];

/** Writes the configuration of the page, with other ports, and starts the proxy. @returns its port. */
async function startProxy(proxy: Proxy, upstreamPort: number): Promise<number> {
  const command = proxy.name.toLowerCase();
  const [block, ...others] = readCodeBlocks(PAGE).filter(({ language }) => language === command);
  expect(others).toEqual([]);
  const port = await findFreePort();
  const config = (block?.text ?? "")
    .replace(/(?<=127\.0\.0\.1:)83\d\d/, String(port))
    .replace("127.0.0.1:9180", `127.0.0.1:${upstreamPort}`);
  const cwd = createTemporaryDirectory();
  // The workers of nginx run as another user.
  chmodSync(cwd, 0o755);
  writeFileSync(join(cwd, "config"), config);
  const options: SpawnOptions = { cwd, env: { ...process.env, HOME: cwd }, stdio: "ignore" };
  execFileSync(command, proxy.check, { ...options, stdio: "pipe" });
  const child = spawn(command, proxy.run, options);
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await waitUntil(() => child.exitCode !== null || child.signalCode !== null, `${proxy.name} to exit`);
  });
  await waitUntil(() => isListening(port), `${proxy.name} to listen`, 20_000);
  return port;
}

/** Reads the scores of a proxy by group, such as `18/18`. */
function readDocumentedScores(name: string): Record<string, string> {
  const rows = readFileSync(PAGE, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const head = rows.find((cells) => cells.some((cell) => cell.startsWith(`${name} `)));
  const column = head?.findIndex((cell) => cell.startsWith(`${name} `)) ?? -1;
  const scores = rows.slice(rows.indexOf(head ?? [])).flatMap((cells) => {
    const [group] = /(?<=^`)[\w-]+(?=`$)/.exec(cells[1] ?? "") ?? [];
    const score = cells[column] ?? "";
    return group !== undefined && score.includes("/") ? [[group, score] as const] : [];
  });
  return Object.fromEntries(scores);
}

function countByGroup({ results }: Report): Record<string, string> {
  const groups = Map.groupBy(results, ({ group }) => group);
  return Object.fromEntries(
    [...groups].map(([group, all]) => [group, `${all.filter(({ pass }) => pass).length}/${all.length}`]),
  );
}

test.each(PROXIES)(
  `$name with the configuration of ${PAGE} has the scores of that page`,
  // The checks of the group `timing` allow a delay of 250 ms, which a busy machine may exceed.
  { retry: 2, timeout: SUITE_TIMEOUT_MS },
  async (proxy) => {
    const simulator = await startVerifySimulator();
    const port = await startProxy(proxy, Number(new URL(simulator.origin).port));
    const gateway = `http://127.0.0.1:${port}/openai/v1`;
    const report = await runChecks({ gateway, key: "any", simulator, skip: SKIPPED });
    onTestFailed(() => void process.stderr.write(`${listFailures(report).join("\n")}\n`));
    expect(countByGroup(report)).toEqual(readDocumentedScores(proxy.name));
  },
);

// `npm run verify` checks a running gateway, Sluice or another, in front of a simulated OpenRouter.
import process from "node:process";
import { type Simulator, startSimulator } from "../simulator/simulator.ts";
import { CHECKS } from "./catalogue.ts";
import { type VerifyOptions, parseOptions, USAGE, UsageError } from "./options.ts";
import { formatReport } from "./report-text.ts";
import { GatewayUnreachable, runChecks } from "./run.ts";

const EXIT_FAILED = 1;
const EXIT_NOT_RUN = 2;

async function listen(port: number): Promise<Simulator> {
  try {
    // The simulator stores no requests: bodies have up to 20 MB, and each check receives its own requests directly.
    return await startSimulator({ port, keepSeen: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`The simulated OpenRouter cannot listen: ${reason}`, { cause: error });
  }
}

function listChecks(): void {
  const width = Math.max(...CHECKS.map(({ id }) => id.length));
  process.stdout.write(CHECKS.map(({ id, title }) => `${id.padEnd(width)}  ${title}\n`).join(""));
}

async function verify(options: VerifyOptions): Promise<void> {
  const { only, format, upstreamPort, ...rest } = options;
  const simulator = await listen(upstreamPort);
  try {
    const report = await runChecks({ ...rest, simulator, ...(only && { only }) });
    process.stdout.write(format === "json" ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
    if (report.passed < report.total) process.exitCode = EXIT_FAILED;
  } finally {
    await simulator.close();
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.list) listChecks();
  else await verify(options);
} catch (error) {
  if (!(error instanceof UsageError || error instanceof GatewayUnreachable)) throw error;
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? `\n${USAGE}` : ""}`);
  process.exitCode = EXIT_NOT_RUN;
}

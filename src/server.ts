// This import is first because an unsupported Node version may be unable to parse the other modules.
import "./node-version.js";
// This import precedes the slow ones so that the process handles a stop signal during startup.
import "./stop-signals.js";
import { enableCompileCache } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { addEnvFile } from "./config/sources.ts";

const ENV_FILE = ".env";
/** `EX_CONFIG` of sysexits.h: a restart does not help. */
const EXIT_CONFIG = 78;

const [, , mode, ...args] = process.argv;

// The compile cache shortens the next start by about a third. It is kept in node_modules, because a user who can write there
// can change the program anyway. An unwritable directory is not an error. NODE_COMPILE_CACHE overrides the directory.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/sluice", import.meta.url)));

// Only this module reads process.env; all others receive their settings as arguments.
if (mode === "--demo") {
  const { runDemo } = await import("./demo.ts");
  await runDemo(process.env);
} else {
  const problem = addEnvFile(process.env, ENV_FILE);
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`);
    process.exit(EXIT_CONFIG);
  }
  if (mode === "--cli") {
    const { runCli } = await import("./cli/main.ts");
    await runCli(process.env, args);
  } else if (mode === "--health") {
    const { isAlive } = await import("./health-check.ts");
    process.exit((await isAlive(process.env)) ? 0 : 1);
  } else {
    const { runGateway } = await import("./main.ts");
    await runGateway(process.env, {});
  }
}

// The version first: the rest is imported only when this Node can run it.
import "./node-version.js";
// Before anything that takes time, in which a supervisor may stop this process.
import "./stop-signals.js";
import { enableCompileCache } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { addEnvFile } from "./config/sources.ts";

const ENV_FILE = ".env";
/** EX_CONFIG of sysexits.h: starting again will not help. */
const EXIT_CONFIG = 78;

const [, , mode, ...args] = process.argv;

// What Node compiles is kept for the next start, which takes about a third less time: beside the dependencies, where nobody
// may write who may not change the program. It is no fault if this process may not. NODE_COMPILE_CACHE says another place.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/sluice", import.meta.url)));

// The only place that reads the environment; everything else is handed what it needs of it.
if (mode === "--demo") {
  const { runDemo } = await import("./demo.ts");
  await runDemo(process.env);
} else {
  const mistake = addEnvFile(process.env, ENV_FILE);
  if (mistake !== undefined) {
    process.stderr.write(`${mistake}\n`);
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

// The version first: the rest is imported only when this Node can run it.
import "./node-version.js";
import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

// What Node compiles is kept for the next start, which takes about a third less time: beside the dependencies, where nobody
// may write who may not change the program. It is no fault if this process may not. NODE_COMPILE_CACHE says another place.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/sluice", import.meta.url)));

// The only place that reads the environment; everything else is handed what it needs of it.
if (process.argv.includes("--demo")) {
  const { runDemo } = await import("./demo.ts");
  await runDemo(process.env);
} else if (process.argv[2] === "--cli") {
  if (existsSync(".env")) process.loadEnvFile(".env");
  const { runCli } = await import("./cli/main.ts");
  await runCli(process.env, process.argv.slice(3));
} else {
  if (existsSync(".env")) process.loadEnvFile(".env");
  const { runGateway } = await import("./main.ts");
  await runGateway(process.env, {});
}

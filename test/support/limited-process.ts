// Runs a gateway with one key, `a`, which may have two requests in flight. Prints its port. Tests kill it.
import { createLimitedKey, startLimitedApp } from "./limited-app.ts";

const [upstreamBaseUrl = "", redisUrl = ""] = process.argv.slice(2);
const env = { OPENROUTER_BASE_URL: upstreamBaseUrl, REDIS_URL: redisUrl };
const { port } = await startLimitedApp([createLimitedKey("a", { maxInFlight: 2 })], env, () => {});
process.stdout.write(`port ${port}\n`);

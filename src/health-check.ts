import { request } from "node:http";
import { type EnvironmentRecord, readSettings, readTextFile } from "./config/sources.ts";

const TIMEOUT_MS = 2_000;
/** Copied from `config/environment-schema.ts`, which takes longer to load than the whole check. */
const DEFAULTS = { HOST: "127.0.0.1", PORT: "8080" };
/** Maps each wildcard address, which only a server can use, to the loopback address that a client can connect to. */
const ANY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Whether the gateway that this environment configures responds to `GET /healthz` with 200. The health check of the
 * container image calls this function. It does not work with `PORT=0`, because only the gateway's log states the port that
 * the system chose.
 */
export function isAlive(environment: EnvironmentRecord): Promise<boolean> {
  const { HOST, PORT } = { ...DEFAULTS, ...readSettings(["HOST", "PORT"], environment, readTextFile).values };
  return new Promise((resolve) => {
    const call = request(
      { host: ANY_ADDRESS[HOST] ?? HOST, port: Number(PORT), path: "/healthz", timeout: TIMEOUT_MS },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve(false));
    call.end();
  });
}

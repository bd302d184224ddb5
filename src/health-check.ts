import { request } from "node:http";
import { type EnvironmentRecord, readSettings, readTextFile } from "./config/sources.ts";

const TIMEOUT_MS = 2_000;
/** As in `config/environment-schema.ts`, which takes longer to load than all of this. */
const DEFAULTS = { HOST: "127.0.0.1", PORT: "8080" };
/** Addresses to listen on that are no addresses to ask. */
const ANY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Asks the gateway that this environment configures whether it lives: for the image's health check. Port 0 cannot be
 * asked: which port the gateway got, only its log says.
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

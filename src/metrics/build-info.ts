import { Gauge, type Registry } from "prom-client";
import { readVersion } from "../build-info.ts";
import type { Config } from "../config/config.ts";

export interface BuildInfoSources {
  /** undefined if clients send their own OpenRouter keys. */
  readonly config: Pick<Config, "openrouterApiKey">;
}

/** Adds `sluice_build_info`, whose labels are the versions of the gateway and of Node, and whose keys are sent to OpenRouter. */
export function registerBuildInfo(registry: Registry, { config }: BuildInfoSources): void {
  const info = new Gauge({
    name: "sluice_build_info",
    help: "Versions of the gateway and of Node; mode is account or own_keys. The value is always 1.",
    labelNames: ["version", "node", "mode"],
    registers: [registry],
  });
  const mode = config.openrouterApiKey === undefined ? "own_keys" : "account";
  info.set({ version: readVersion(), node: process.version, mode }, 1);
}

import { readFileSync } from "node:fs";
import { Gauge, type Registry } from "prom-client";

/** Adds `sluice_build_info`, whose labels are the versions of the gateway and of Node. */
export function registerBuildInfo(registry: Registry): void {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  const info = new Gauge({
    name: "sluice_build_info",
    help: "Versions of the gateway and of Node; the value is always 1.",
    labelNames: ["version", "node"],
    registers: [registry],
  });
  info.set({ version, node: process.version }, 1);
}

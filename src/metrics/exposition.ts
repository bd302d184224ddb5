import { setImmediate as nextTurn } from "node:timers/promises";
import type { Registry } from "prom-client";
import { TotalsCounter, TotalsHistogram } from "./totals.ts";

/**
 * Formats all metrics as text. The metrics of requests can have thousands of series, so each of them is formatted in a turn
 * of the event loop of its own, and requests are served in between. All others are collected at the same time, because some
 * wait for a database.
 */
export async function formatMetrics(registry: Registry): Promise<Buffer> {
  let formatted: Promise<unknown> = Promise.resolve();
  const texts = registry.getMetricsAsArray().map((metric) => {
    const format = (): Promise<string> => registry.getSingleMetricAsString(metric.name);
    if (!(metric instanceof TotalsCounter || metric instanceof TotalsHistogram)) return format();
    const text = formatted.then(() => nextTurn()).then(format);
    formatted = text;
    return text;
  });
  return Buffer.from(`${(await Promise.all(texts)).join("\n\n")}\n`);
}

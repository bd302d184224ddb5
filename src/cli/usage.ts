import { type Command, Option } from "commander";
import { keyIdOf } from "../admin/key-id.ts";
import { periodOf } from "../admin/period.ts";
import { toCsv, toWireReport } from "../admin/usage-routes.ts";
import { forwardedModelId } from "../openai/model-id.ts";
import { DIMENSIONS, type Dimension, reportUsage } from "../store/usage-report.ts";
import type { Run } from "./keys.ts";
import { momentOf } from "./options.ts";
import { CommandError, print } from "./session.ts";

interface UsageOptions {
  readonly by: string;
  readonly from?: number;
  readonly to?: number;
  readonly key?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly json: boolean;
  readonly csv: boolean;
}

/** Adds `usage`. */
export function usageCommand(program: Command, run: Run): void {
  program
    .command("usage")
    .description("what was used and what it cost")
    .option("--by <groups>", `some of ${DIMENSIONS.join(", ")}, separated by commas`, "key")
    .option("--from <when>", "a date or a time; default: 30 days before the end", momentOf)
    .option("--to <when>", "a date or a time, not included; default: now", momentOf)
    .option("--key <key>", "only of this key (id or name)")
    .option("--model <model>", "only of this model")
    .option("--provider <provider>", "only of this provider")
    .addOption(new Option("--json", "print JSON").default(false).conflicts("csv"))
    .option("--csv", "print CSV", false)
    .action((options: UsageOptions) =>
      run(async ({ database, keys }) => {
        const { key, from, to, model, provider } = options;
        const report = await reportUsage(database, {
          ...periodOf({ from, to }, Date.now()),
          by: dimensionsOf(options.by),
          keyId: await keyIdOf(keys, key),
          model: model && forwardedModelId(model),
          provider,
        });
        if (options.csv) {
          process.stdout.write(toCsv(report));
          return;
        }
        const wire = toWireReport(report);
        const total = wire.data.length > 1 ? [wire.total] : [];
        const noun = `usage from ${wire.from} to ${wire.to}`;
        print(wire, [...wire.data, ...total], options.json, noun);
        if (!options.json && wire.pending_requests > 0)
          process.stdout.write(`${wire.pending_requests} more are under way or wait for their cost.\n`);
      }),
    );
}

function dimensionsOf(text: string): Dimension[] {
  return text.split(",").map((item) => {
    const dimension = DIMENSIONS.find((known) => known === item.trim());
    if (!dimension) throw new CommandError(`--by takes some of ${DIMENSIONS.join(", ")}, not "${item}"`);
    return dimension;
  });
}

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { getLockPath, listJournals, listQuarantined } from "../metering/journal/files.ts";
import { isFileLocked } from "../store/file-lock.ts";
import { ok, type Result, skipped, warning } from "./finding.ts";
import { describeError, formatBytes } from "./finding-text.ts";

/** A process locks its lock file within this time, and the check must not disturb it. */
const STARTING_MS = 5_000;

/** Looks for journals of processes that have died, and for files that are kept for the operator. */
export function checkJournals({ store }: Config): Result[] {
  const directory = store && join(store.dataDir, "journal");
  if (directory === undefined || !existsSync(directory)) return [skipped("There is no journal yet.")];
  let live = 0;
  let leftBytes = 0;
  let left = 0;
  for (const [instance, segments] of listJournals(directory)) {
    if (isAlive(getLockPath(directory, instance))) live++;
    else if (segments.length > 0) {
      left++;
      for (const path of segments) leftBytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return [...describeLeft({ live, left, leftBytes }), ...describeQuarantined(directory)];
}

function isAlive(lockPath: string): boolean {
  const stats = statSync(lockPath, { throwIfNoEntry: false });
  if (!stats) return false;
  return Date.now() - stats.mtimeMs < STARTING_MS || isFileLocked(lockPath);
}

function describeLeft({
  live,
  left,
  leftBytes,
}: {
  live: number;
  left: number;
  leftBytes: number;
}): Result[] {
  const running = `${live} running gateway(s) use the journal directory.`;
  if (left === 0) return [ok(`${running} No journal of a dead process is left.`)];
  const facts = `${running} ${left} process(es) that ended without a shutdown left journals with ${formatBytes(leftBytes)}.`;
  return [
    live === 0
      ? warning(
          facts,
          "Start a gateway with this DATA_DIR and the same database: it replays the journals within a minute. Do not delete them.",
        )
      : warning(
          facts,
          "A running gateway replays them within a minute. If they remain, its log has the reason: look for 'ledger: heartbeat or recovery failed, will retry'.",
        ),
  ];
}

function describeQuarantined(directory: string): Result[] {
  let names: string[];
  try {
    names = listQuarantined(directory);
  } catch (error) {
    return [
      warning(
        `${directory} cannot be read: ${describeError(error)}.`,
        "Run doctor as the user of the gateway.",
      ),
    ];
  }
  if (names.length === 0) return [];
  return [
    warning(
      `${names.length} file(s) with lines that could not be read (.damaged) or rows that the database rejected (.refused) are in ${directory}, such as ${names[0]}.`,
      "Compare their requests with OpenRouter's activity page, because the ledger may lack their costs. Then move the files away.",
    ),
  ];
}

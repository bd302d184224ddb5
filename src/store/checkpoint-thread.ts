// The thread of `checkpoints.ts`, with a connection of its own.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointWork } from "./checkpoints.ts";

const { path, everyMs } = workerData as CheckpointWork;
const database = new DatabaseSync(path);
const passive = database.prepare("pragma wal_checkpoint(passive)");
const TIMES_AT_ONCE = 3;

let failing = false;

/**
 * Passive: it waits for nobody, and nobody for it. The log begins anew only if nothing was written meanwhile; what was is
 * little, so that once more is over before the next commit.
 */
function checkpoint(): void {
  try {
    for (let time = 0, whole = false; time < TIMES_AT_ONCE && !whole; time++) {
      const pages = passive.get();
      whole = pages?.["checkpointed"] === pages?.["log"];
    }
    failing = false;
  } catch (error) {
    // Told once, until it is well again: whoever writes touches only the log, and would not meet it.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    if (!failing) parentPort?.postMessage(error);
    failing = true;
  }
}

const timer = setInterval(checkpoint, everyMs);
parentPort?.once("message", () => {
  clearInterval(timer);
  checkpoint();
  database.close();
});

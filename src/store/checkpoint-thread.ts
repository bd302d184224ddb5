// The worker thread of `checkpoints.ts`. It has its own connection to the database.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointWork } from "./checkpoints.ts";

const { path, everyMs } = workerData as CheckpointWork;
const database = new DatabaseSync(path);
const passive = database.prepare("pragma wal_checkpoint(passive)");
/** Attempts per run to checkpoint the whole WAL. */
const ATTEMPTS_MAX = 3;

let isFailing = false;

/**
 * Runs a passive checkpoint, which neither waits for other connections nor blocks them. SQLite restarts the WAL only after a
 * checkpoint of the whole WAL. If pages were written in the meantime, this function repeats the checkpoint. These pages are
 * few, so the repeated checkpoint usually ends before the next commit.
 */
function checkpoint(): void {
  try {
    for (let attempt = 0, isComplete = false; attempt < ATTEMPTS_MAX && !isComplete; attempt++) {
      const pages = passive.get();
      isComplete = pages?.["checkpointed"] === pages?.["log"];
    }
    isFailing = false;
  } catch (error) {
    // Reports each series of failures once. The main thread does not notice failures, because commits write only to the WAL.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker is not a window
    if (!isFailing) parentPort?.postMessage(error);
    isFailing = true;
  }
}

const timer = setInterval(checkpoint, everyMs);
parentPort?.once("message", () => {
  clearInterval(timer);
  checkpoint();
  database.close();
});

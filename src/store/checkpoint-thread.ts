// The thread of `checkpoints.ts`, with a connection of its own.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointWork } from "./checkpoints.ts";

const { path, everyMs } = workerData as CheckpointWork;
const database = new DatabaseSync(path);

let failing = false;

/** Passive: it waits for nobody, and nobody for it. What is being written meanwhile is left for the next one. */
function checkpoint(): void {
  try {
    database.exec("pragma wal_checkpoint(passive)");
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

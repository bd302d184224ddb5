// The thread of `checkpoints.ts`, with a connection of its own.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { CheckpointWork } from "./checkpoints.ts";

const { path, everyMs } = workerData as CheckpointWork;
const database = new DatabaseSync(path);

/** Passive: it waits for nobody, and nobody for it. What is being written meanwhile is left for the next one. */
function checkpoint(): void {
  try {
    database.exec("pragma wal_checkpoint(passive)");
  } catch {
    // Whatever is wrong with the file or its disk, whoever writes to it next meets it too, and tells.
  }
}

const timer = setInterval(checkpoint, everyMs);
parentPort?.once("message", () => {
  clearInterval(timer);
  checkpoint();
  database.close();
});

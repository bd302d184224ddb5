import type { Simulator } from "../../tools/simulator/simulator.ts";
import { startTestSimulator } from "./simulator.ts";

/** A simulator with the sum of its bills. Each request selects a behaviour by the header `x-session-id`. */
export interface BilledSimulator {
  readonly simulator: Simulator;
  /** Sum of all bills so far, in nanodollars. It never decreases. */
  readonly billed: number;
  /** The sum of all bills and of the whole costs of the generations in progress, at its highest. */
  readonly highest: number;
}

/** Starts a simulator that sums what it bills. It stops when the test ends. */
export async function startBilledSimulator(): Promise<BilledSimulator> {
  const running = new Map<object, number>();
  let inProgress = 0;
  const books = { billed: 0, highest: 0 };
  const simulator = await startTestSimulator({
    observer: {
      onGeneration(request, nanodollars) {
        running.set(request, nanodollars);
        inProgress += nanodollars;
        books.highest = Math.max(books.highest, books.billed + inProgress);
      },
      onBill(request, nanodollars) {
        inProgress -= running.get(request) ?? 0;
        running.delete(request);
        books.billed += nanodollars;
      },
    },
    chooseBehaviour: ({ "x-session-id": behaviour }) =>
      behaviour === undefined ? undefined : String(behaviour),
  });
  return {
    simulator,
    get billed() {
      return books.billed;
    },
    get highest() {
      return books.highest;
    },
  };
}

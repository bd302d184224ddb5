import { failed, ok, type Result, warning } from "./finding.ts";
import { formatMs } from "./finding-text.ts";

const WARN_MS = 5_000;
/** Gateways treat each other as dead if their clocks differ by more, and budgets change at different times. */
const FAIL_MS = 60_000;

/** A time that another machine has stated. All times are ms since 1970. */
export interface ClockReading {
  readonly time: number;
  /** When the question was sent and the response received, by the clock of this machine. */
  readonly sentAt: number;
  readonly receivedAt: number;
  /** The time is rounded down to a multiple of this. */
  readonly resolutionMs: number;
}

/** Compares this machine's clock with a time that another machine has stated. @param name of that machine, such as "the database". */
export function checkClock(name: string, { time, sentAt, receivedAt, resolutionMs }: ClockReading): Result {
  // The other clock was read between both times, so only a difference to the nearer of them is certain.
  const aheadMs = Math.max(0, sentAt - (time + resolutionMs));
  const behindMs = Math.max(0, time - receivedAt);
  const differenceMs = Math.max(aheadMs, behindMs);
  const facts = `This machine's clock is ${formatMs(differenceMs)} ${aheadMs > behindMs ? "ahead of" : "behind"} that of ${name}.`;
  if (differenceMs <= WARN_MS) return ok(`This machine's clock agrees with that of ${name}.`);
  const remedy = "Synchronise the clock of each machine: timedatectl set-ntp true, or run chrony.";
  return differenceMs > FAIL_MS ? failed(facts, remedy) : warning(facts, remedy);
}

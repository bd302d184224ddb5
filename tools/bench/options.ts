import { parseArgs } from "node:util";

const USAGE = `usage: npm run bench -- [options]
  --quick         fewer and shorter rounds
  --rounds <n>    rounds per comparison, as far as time allows (default 15, quick 5; with --metering 8 and 3 a pair)
  --requests <n>  small requests per round; streams are a tenth of it (default 4000, quick 2000; with --metering 2560)
  --metering      compare the gateway that keeps a ledger with the one that keeps none; takes some ten minutes
  --pairs <n>     with --metering: pairs of processes that are compared (default 5, quick 2)
  --floor-twice   compare the baseline with itself: how far from 1.00 it comes out is noise`;

const DEADLINE_MS = 118_000;
const PAIR_DEADLINE_MS = 240_000;

/** Extent of the measurement. */
export interface BenchOptions {
  readonly rounds: number;
  /** Small requests to each server in a round. */
  readonly requests: number;
  /** Streams to each server in a round. */
  readonly streams: number;
  readonly startups: number;
  /** Time after which a comparison starts no further round. */
  readonly budgetMs: number;
  readonly baselineTwice: boolean;
  readonly metering: boolean;
  readonly pairs: number;
  /** Time after which the benchmark is aborted. */
  readonly deadlineMs: number;
}

/** Reads the command line. @throws an error with the usage if it is invalid. */
export function readOptions(): BenchOptions {
  try {
    return parseOptions();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`, { cause: error });
  }
}

function parseOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      requests: { type: "string" },
      "floor-twice": { type: "boolean", default: false },
      metering: { type: "boolean", default: false },
      pairs: { type: "string" },
    },
  });
  const { metering } = values;
  const usual = chooseDefaults(values.quick, metering);
  const requests = parseCount("--requests", values.requests, usual.requests);
  const pairs = parseCount("--pairs", values.pairs, values.quick ? 2 : 5);
  return {
    ...usual,
    rounds: parseCount("--rounds", values.rounds, usual.rounds),
    requests,
    streams: Math.ceil(requests / 10),
    baselineTwice: values["floor-twice"],
    metering,
    pairs,
    deadlineMs: metering ? pairs * PAIR_DEADLINE_MS : DEADLINE_MS,
  };
}

type Defaults = Pick<BenchOptions, "rounds" | "requests" | "startups" | "budgetMs">;

/** With a ledger, several pairs of processes are measured, each with its own rounds. */
function chooseDefaults(quick: boolean, metering: boolean): Defaults {
  if (metering) return { rounds: quick ? 3 : 8, requests: 2_560, startups: 0, budgetMs: 25_000 };
  return quick
    ? { rounds: 5, requests: 2_000, startups: 3, budgetMs: 8_000 }
    : { rounds: 15, requests: 4_000, startups: 7, budgetMs: 30_000 };
}

function parseCount(name: string, given: string | undefined, usual: number): number {
  const value = given === undefined ? usual : Number(given);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} takes a whole number from 1`);
  return value;
}

import { parseArgs } from "node:util";

const USAGE = `usage: npm run bench -- [options]
  --quick         fewer and shorter rounds
  --rounds <n>    maximum rounds per comparison (default 15, with --quick 5); with --metering, per pair of processes
                  (default 8, with --quick 3)
  --requests <n>  small requests per round; the number of streams is a tenth of it (default 4000, with --quick 2000, with
                  --metering 2560)
  --metering      compare two gateways, one with a ledger and one without; takes about ten minutes
  --pairs <n>     with --metering: pairs of processes to compare (default 5, with --quick 2)
  --metrics       compare a gateway that has metrics with one that has none, which is the baseline then
  --floor-twice   compare the baseline with itself; the difference of the ratio from 1.00 is noise`;

const DEADLINE_MS = 118_000;
const PAIR_DEADLINE_MS = 240_000;

/** The extent of a benchmark run. */
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
  readonly metrics: boolean;
  readonly pairs: number;
  /** Time after which the benchmark fails. */
  readonly deadlineMs: number;
}

/** Reads the command line. @throws Error with the usage text if an option is invalid. */
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
      metrics: { type: "boolean", default: false },
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
    metrics: values.metrics,
    pairs,
    deadlineMs: metering ? pairs * PAIR_DEADLINE_MS : DEADLINE_MS,
  };
}

type Defaults = Pick<BenchOptions, "rounds" | "requests" | "startups" | "budgetMs">;

/** Returns the default options. With `--metering`, the number of rounds is for each pair of processes. */
function chooseDefaults(quick: boolean, metering: boolean): Defaults {
  if (metering) return { rounds: quick ? 3 : 8, requests: 2_560, startups: 0, budgetMs: 25_000 };
  return quick
    ? { rounds: 5, requests: 2_000, startups: 3, budgetMs: 8_000 }
    : { rounds: 15, requests: 4_000, startups: 7, budgetMs: 30_000 };
}

function parseCount(name: string, given: string | undefined, usual: number): number {
  const value = given === undefined ? usual : Number(given);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${name} must be a whole number, at least 1`);
  return value;
}

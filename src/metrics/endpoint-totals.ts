import type { Outcome } from "../http/request-context.ts";
import { OTHER, type SeriesBound } from "./label-bounds.ts";
import { SpendTotals } from "./spend-totals.ts";
import { HistogramTotals } from "./totals.ts";

/** Upper bounds in seconds. A chat completion takes 0.3 to 60 s; a stream of a reasoning model can take ten minutes. */
export const DURATION_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600];
/** Upper bounds in seconds. A first byte is seldom earlier than 200 ms. */
export const FIRST_BYTE_BOUNDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30, 60, 120];
/** Upper bounds in seconds. The gateway needs less than a millisecond, unless it waits for Redis or a database. */
export const GATEWAY_TIME_BOUNDS = [
  0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];

const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
const OUTCOMES: readonly Outcome[] = ["complete", "upstream_error", "client_gone", "rejected"];
const OUTCOME_INDEX: Readonly<Record<Outcome, number>> = {
  complete: 0,
  upstream_error: 1,
  client_gone: 2,
  rejected: 3,
};
/** Maximum number of endpoint and model pairs of the process. Those above are counted as model `other`. */
export const PAIRS_MAX = 1_000;
/** Maximum number of endpoint, model and key combinations, with key "" as a key. Those above are counted as key `other`. */
export const KEYED_MAX = 5_000;

/** A number of requests with the same status class and outcome. */
export interface RequestCount {
  readonly statusClass: string;
  readonly outcome: string;
  readonly value: number;
}

/** Totals of one endpoint, model and key. */
export class KeyTotals extends SpendTotals {
  /** Name of the key. Empty for requests without a key, and if keys are not shown. */
  readonly key: string;
  /** Number of requests per status class and outcome. */
  readonly #requests = Array.from({ length: STATUS_CLASSES.length * OUTCOMES.length }, () => 0);

  constructor(key: string) {
    super();
    this.key = key;
  }

  /** Counts a request. @param status 0 if no response was sent. */
  countRequest(status: number, outcome: Outcome): void {
    const statusClass = status < 600 ? (status / 100) | 0 : 5;
    (this.#requests[statusClass * OUTCOMES.length + OUTCOME_INDEX[outcome]] as number)++;
  }

  /** Returns the counted requests. */
  listRequests(): RequestCount[] {
    return this.#requests
      .map((value, index) => ({
        statusClass: STATUS_CLASSES[Math.floor(index / OUTCOMES.length)] as string,
        outcome: OUTCOMES[index % OUTCOMES.length] as string,
        value,
      }))
      .filter(({ value }) => value > 0);
  }
}

/** Totals of one endpoint and model. */
export class PairTotals {
  readonly model: string;
  readonly duration: HistogramTotals;
  readonly firstByte: HistogramTotals;
  readonly #keyed: SeriesBound;
  /** The totals of key "". Unless `METRICS_KEY_LABEL` is true, there are no others. */
  #unnamed: KeyTotals | undefined = undefined;
  readonly #named = new Map<string, KeyTotals>();

  /** @param keyed bounds the number of keys of all pairs. */
  constructor(endpoint: string, model: string, keyed: SeriesBound) {
    this.model = model;
    this.#keyed = keyed;
    const labels = { endpoint, model };
    this.duration = new HistogramTotals(labels, DURATION_BOUNDS);
    this.firstByte = new HistogramTotals(labels, FIRST_BYTE_BOUNDS);
  }

  /** Returns the totals of a key. @param key its name; empty for requests without a key, and if keys are not shown. */
  findKey(key: string): KeyTotals {
    return (key === "" ? this.#unnamed : this.#named.get(key)) ?? this.#admitKey(key);
  }

  /** The totals of all keys. */
  get keys(): KeyTotals[] {
    return this.#unnamed === undefined ? [...this.#named.values()] : [this.#unnamed, ...this.#named.values()];
  }

  #admitKey(key: string): KeyTotals {
    const label = this.#keyed.take() ? key : OTHER;
    const known = this.#named.get(label);
    if (known) return known;
    const totals = new KeyTotals(label);
    if (label === "") this.#unnamed = totals;
    else this.#named.set(label, totals);
    return totals;
  }
}

/** Totals of one endpoint. */
export class EndpointTotals {
  readonly label: string;
  /** Totals of requests whose model is not known, or not listed. */
  readonly otherModels: PairTotals;
  readonly gatewayTime: HistogramTotals;
  /** Totals by the label of the model. */
  readonly pairs = new Map<string, PairTotals>();
  /** Totals by the name that requests use for the model; only names of listed models, and at most a few thousand. */
  readonly byName = new Map<string, PairTotals>();
  readonly upstreamErrors = new Map<string, number>();
  requestBytes = 0;
  responseBytes = 0;

  constructor(label: string, otherModels: PairTotals) {
    this.label = label;
    this.otherModels = otherModels;
    this.pairs.set(OTHER, otherModels);
    this.gatewayTime = new HistogramTotals({ endpoint: label }, GATEWAY_TIME_BOUNDS);
  }
}

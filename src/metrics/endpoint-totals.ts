import type { Outcome } from "../http/request-context.ts";
import { OTHER, type SeriesBound } from "./label-bounds.ts";
import type { ModelSpend } from "./spend-metrics.ts";
import { type CounterSample, HistogramTotals } from "./totals.ts";

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
/** Maximum number of endpoint, model and key combinations. Those above are counted as key `other`. */
export const KEYED_MAX = 5_000;

/** Totals of one endpoint and model. */
export class PairTotals {
  readonly model: string;
  readonly spend: ModelSpend;
  readonly duration: HistogramTotals;
  readonly firstByte: HistogramTotals;
  readonly #endpoint: string;
  readonly #keyed: SeriesBound;
  /** Number of requests per status class and outcome, by key. */
  readonly #requests = new Map<string, number[]>();

  /** @param keyed bounds the number of keys of all pairs. */
  constructor(endpoint: string, model: string, { spend, keyed }: { spend: ModelSpend; keyed: SeriesBound }) {
    this.#endpoint = endpoint;
    this.model = model;
    this.spend = spend;
    this.#keyed = keyed;
    const labels = { endpoint, model };
    this.duration = new HistogramTotals(labels, DURATION_BOUNDS);
    this.firstByte = new HistogramTotals(labels, FIRST_BYTE_BOUNDS);
  }

  /** Counts a request. @param key the label of its key; empty if keys are not shown. @param status 0 if no response was sent. */
  countRequest(key: string, status: number, outcome: Outcome): void {
    const counts = this.#requests.get(key) ?? this.#admitKey(key);
    const statusClass = status < 600 ? (status / 100) | 0 : 5;
    (counts[statusClass * OUTCOMES.length + OUTCOME_INDEX[outcome]] as number)++;
  }

  #admitKey(key: string): number[] {
    const label = this.#keyed.take() ? key : OTHER;
    const counts =
      this.#requests.get(label) ?? Array.from({ length: STATUS_CLASSES.length * OUTCOMES.length }, () => 0);
    this.#requests.set(label, counts);
    return counts;
  }

  /** Returns the counted requests. @param hasKeyLabel whether the samples have the label of the key. */
  readRequests(hasKeyLabel: boolean): CounterSample[] {
    const samples: CounterSample[] = [];
    for (const [key, counts] of this.#requests)
      for (const [index, value] of counts.entries()) {
        if (value === 0) continue;
        const labels = {
          endpoint: this.#endpoint,
          model: this.model,
          status_class: STATUS_CLASSES[Math.floor(index / OUTCOMES.length)] as string,
          outcome: OUTCOMES[index % OUTCOMES.length] as string,
          ...(hasKeyLabel && { key }),
        };
        samples.push({ labels, value });
      }
    return samples;
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

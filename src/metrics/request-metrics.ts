import type { Registry } from "prom-client";
import { ANONYMOUS } from "../auth/caller-key.ts";
import { RELAYED_ENDPOINTS } from "../endpoints/relayed-endpoints.ts";
import type { RequestContext } from "../http/request-context.ts";
import { type RequestRow, STATE } from "../metering/record.ts";
import { findCost } from "../metering/request-row.ts";
import { isHealthCheck } from "../observability/logger.ts";
import { EndpointTotals, KEYED_MAX, type KeyTotals, PAIRS_MAX, PairTotals } from "./endpoint-totals.ts";
import { OTHER, SeriesBound } from "./label-bounds.ts";
import { ModelLabels, type ModelSource } from "./model-labels.ts";
import { registerRequestTotals } from "./request-catalogue.ts";
import { registerSpend } from "./spend-metrics.ts";
import { ProviderBounds } from "./spend-totals.ts";
import { findUpstreamCause } from "./upstream-cause.ts";

/** Maximum number of cached names per endpoint. A model has many: each order of its variants is a name. */
const NAMES_MAX = 4_096;

/** The error that was sent for bytes that could not be parsed as a request. */
export interface UnparsedRequest {
  readonly status: number;
  /** The code of the error. */
  readonly error: string;
}

/**
 * Counts requests that have ended. The number of series is bounded, whatever clients and upstream send: every label is from a
 * fixed set, or from a set of limited size.
 */
export class RequestMetrics {
  readonly #hasKeyLabel: boolean;
  readonly #models = new ModelLabels(() => this.#forgetNames());
  readonly #pairs = new SeriesBound(PAIRS_MAX);
  readonly #keyed = new SeriesBound(KEYED_MAX);
  readonly #providers = new ProviderBounds();
  readonly #endpoints: EndpointTotals[] = [];
  /** Endpoints by the pattern of their routes. Before its body is read, a request has no other name of its endpoint. */
  readonly #byRoute = new Map<string, EndpointTotals>();
  /** All requests that call no model. */
  readonly #other: EndpointTotals;
  readonly #rejections = new Map<string, number>();
  #retries = 0;

  constructor(registry: Registry, hasKeyLabel: boolean) {
    this.#hasKeyLabel = hasKeyLabel;
    for (const { path, basePaths } of RELAYED_ENDPOINTS) {
      const endpoint = this.#addEndpoint(path);
      for (const basePath of basePaths) this.#byRoute.set(`${basePath}/${path}`, endpoint);
    }
    this.#other = this.#addEndpoint(OTHER);
    registerRequestTotals(registry, hasKeyLabel, {
      endpoints: this.#endpoints,
      rejections: this.#rejections,
      countRetries: () => this.#retries,
    });
    registerSpend(registry, hasKeyLabel, this.#endpoints);
  }

  /** Counts a request that has ended, unless it is a health check. Called once for each request. */
  record(context: RequestContext): void {
    const endpoint = this.#byRoute.get(context.route) ?? this.#other;
    if (endpoint === this.#other && isHealthCheck(context)) return;
    const { outcome = "client_gone", forwardedModel } = context;
    const pair = this.#findPair(endpoint, forwardedModel);
    const totals = pair.findKey(this.#hasKeyLabel ? (context.keyName ?? "") : "");
    totals.countRequest(context.status, outcome);
    endpoint.requestBytes += context.bytesIn;
    endpoint.responseBytes += context.bytesOut;
    this.#retries += context.retries;
    if (outcome === "rejected") {
      if (context.errorCode !== undefined) increment(this.#rejections, context.errorCode);
    } else this.#recordTimes(context, endpoint, pair);
    const cause = findUpstreamCause(context);
    if (cause !== undefined) increment(endpoint.upstreamErrors, cause);
    if (context.usage) this.#recordSpend(context, totals);
  }

  /** Observes the times of a request. Rejected requests are excluded: thousands of fast errors would hide slow responses. */
  #recordTimes(context: RequestContext, endpoint: EndpointTotals, pair: PairTotals): void {
    const { startedAt, firstByteAt, endedAt } = context;
    pair.duration.observe((endedAt - startedAt) / 1_000);
    if (firstByteAt !== 0) pair.firstByte.observe((firstByteAt - startedAt) / 1_000);
    // Other endpoints wait for OpenRouter or the database while their stopwatch runs.
    if (endpoint !== this.#other) endpoint.gatewayTime.observe(context.stopwatch.elapsedMs / 1_000);
  }

  #recordSpend(context: RequestContext, totals: KeyTotals): void {
    const { state, cost_nanodollars: costNanodollars } = findCost(context);
    // The ledger will look up the cost. Its record also has the final token counts.
    if (state === STATE.pending && context.meter) return;
    totals.add(context.provider, { tokens: context.usage?.tokens ?? {}, costNanodollars }, this.#providers);
  }

  /** Counts tokens and cost of a request whose cost was looked up after its end. @param row the final row of the ledger. */
  recordSettledLater(row: RequestRow): void {
    const endpoint = this.#endpoints.find(({ label }) => label === row.endpoint) ?? this.#other;
    const key = this.#hasKeyLabel && row.key_id !== ANONYMOUS ? row.key_name : "";
    this.#findPair(endpoint, row.forwarded_model ?? undefined)
      .findKey(key)
      .add(
        row.provider ?? undefined,
        { tokens: row, costNanodollars: row.cost_nanodollars },
        this.#providers,
      );
  }

  /** Counts an error for bytes that could not be parsed as a request. */
  recordUnparsed({ status, error }: UnparsedRequest): void {
    this.#other.otherModels.findKey("").countRequest(status, "rejected");
    increment(this.#rejections, error);
  }

  /** Reads the list of models, whose ids are the labels, in the background until {@link stop} is called. */
  followModels(source: ModelSource): void {
    this.#models.follow(source);
  }

  stop(): void {
    this.#models.stop();
  }

  #addEndpoint(label: string): EndpointTotals {
    const endpoint = new EndpointTotals(label, new PairTotals(label, OTHER, this.#keyed));
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** @param name the forwarded model; undefined if the request has none. */
  #findPair(endpoint: EndpointTotals, name: string | undefined): PairTotals {
    if (name === undefined) return endpoint.otherModels;
    return endpoint.byName.get(name) ?? this.#findNewName(endpoint, name);
  }

  /** Finds the totals of a model whose name is not cached. */
  #findNewName(endpoint: EndpointTotals, name: string): PairTotals {
    const label = this.#models.find(name);
    if (label === OTHER) return endpoint.otherModels;
    const pair = endpoint.pairs.get(label) ?? this.#addPair(endpoint, label);
    if (pair !== endpoint.otherModels) {
      if (endpoint.byName.size >= NAMES_MAX) endpoint.byName.clear();
      // A copy, because the name can be a slice of the request body, which it would keep in memory.
      endpoint.byName.set(Buffer.from(name).toString(), pair);
    }
    return pair;
  }

  #addPair(endpoint: EndpointTotals, label: string): PairTotals {
    if (!this.#pairs.take()) return endpoint.otherModels;
    const pair = new PairTotals(endpoint.label, label, this.#keyed);
    endpoint.pairs.set(label, pair);
    return pair;
  }

  #forgetNames(): void {
    for (const { byName } of this.#endpoints) byName.clear();
  }
}

function increment(counts: Map<string, number>, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1);
}

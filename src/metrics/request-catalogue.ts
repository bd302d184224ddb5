import type { Registry } from "prom-client";
import {
  DURATION_BOUNDS,
  type EndpointTotals,
  FIRST_BYTE_BOUNDS,
  GATEWAY_TIME_BOUNDS,
} from "./endpoint-totals.ts";
import { addCounter, addHistogram, type CounterSample } from "./totals.ts";

/** The totals that the metrics of requests show. */
export interface RequestTotals {
  readonly endpoints: readonly EndpointTotals[];
  /** Number of errors of the gateway itself, by code. */
  readonly rejections: ReadonlyMap<string, number>;
  readonly countRetries: () => number;
}

/** Adds the metrics of requests to the registry. @param hasKeyLabel whether requests are counted by key. */
export function registerRequestTotals(registry: Registry, hasKeyLabel: boolean, totals: RequestTotals): void {
  registerCounts(registry, hasKeyLabel, totals);
  registerTimes(registry, totals.endpoints);
  registerBytes(registry, totals.endpoints);
}

function registerCounts(registry: Registry, hasKeyLabel: boolean, totals: RequestTotals): void {
  const { endpoints, rejections, countRetries } = totals;
  addCounter(
    registry,
    {
      name: "sluice_requests_total",
      help: "Requests that have ended, except health checks.",
      labelNames: ["endpoint", "model", "status_class", "outcome", ...(hasKeyLabel ? ["key"] : [])],
    },
    () => endpoints.flatMap((endpoint) => listRequests(endpoint, hasKeyLabel)),
  );
  addCounter(
    registry,
    {
      name: "sluice_upstream_errors_total",
      help: "Requests that OpenRouter, or the connection to it, has failed.",
      labelNames: ["endpoint", "cause"],
    },
    () =>
      endpoints.flatMap(({ label, upstreamErrors }) =>
        Array.from(upstreamErrors, ([cause, value]) => ({ labels: { endpoint: label, cause }, value })),
      ),
  );
  addCounter(
    registry,
    {
      name: "sluice_upstream_retries_total",
      help: "Attempts to open a connection to OpenRouter that were repeated.",
      labelNames: [],
    },
    () => [{ labels: {}, value: countRetries() }],
  );
  addCounter(
    registry,
    {
      name: "sluice_rejections_total",
      help: "Requests that the gateway itself has refused, by the code of the error.",
      labelNames: ["code"],
    },
    () => Array.from(rejections, ([code, value]) => ({ labels: { code }, value })),
  );
}

function listRequests({ label, pairs }: EndpointTotals, hasKeyLabel: boolean): CounterSample[] {
  const samples: CounterSample[] = [];
  for (const { model, keys } of pairs.values())
    for (const totals of keys) {
      const { key } = totals;
      for (const { statusClass, outcome, value } of totals.listRequests())
        samples.push({
          labels: { endpoint: label, model, status_class: statusClass, outcome, ...(hasKeyLabel && { key }) },
          value,
        });
    }
  return samples;
}

function registerTimes(registry: Registry, endpoints: readonly EndpointTotals[]): void {
  addHistogram(
    registry,
    {
      name: "sluice_request_duration_seconds",
      help: "Time from the head of a request to the end of its response, without rejected requests.",
      labelNames: ["endpoint", "model"],
      bounds: DURATION_BOUNDS,
    },
    () => listPairs(endpoints).map(({ duration }) => duration),
  );
  addHistogram(
    registry,
    {
      name: "sluice_time_to_first_byte_seconds",
      help: "Time from the head of a request to the first relayed byte of OpenRouter's response body.",
      labelNames: ["endpoint", "model"],
      bounds: FIRST_BYTE_BOUNDS,
    },
    () => listPairs(endpoints).map(({ firstByte }) => firstByte),
  );
  addHistogram(
    registry,
    {
      name: "sluice_gateway_time_seconds",
      help: "Time that the gateway itself adds before the head of a response is sent, as in Server-Timing.",
      labelNames: ["endpoint"],
      bounds: GATEWAY_TIME_BOUNDS,
    },
    () => endpoints.map(({ gatewayTime }) => gatewayTime),
  );
}

function registerBytes(registry: Registry, endpoints: readonly EndpointTotals[]): void {
  const read = (toValue: (endpoint: EndpointTotals) => number): CounterSample[] =>
    endpoints.map((endpoint) => ({ labels: { endpoint: endpoint.label }, value: toValue(endpoint) }));
  addCounter(
    registry,
    {
      name: "sluice_request_body_bytes_total",
      help: "Bytes of request bodies that clients have sent.",
      labelNames: ["endpoint"],
    },
    () => read(({ requestBytes }) => requestBytes),
  );
  addCounter(
    registry,
    {
      name: "sluice_response_body_bytes_total",
      help: "Bytes of OpenRouter's response bodies that were relayed to clients.",
      labelNames: ["endpoint"],
    },
    () => read(({ responseBytes }) => responseBytes),
  );
}

function listPairs(endpoints: readonly EndpointTotals[]) {
  return endpoints.flatMap(({ pairs }) => [...pairs.values()]);
}

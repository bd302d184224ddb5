import type { IncomingHttpHeaders } from "node:http";
import { onTestFinished } from "vitest";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { WorstCaseFinder } from "../../src/endpoints/worst-case.ts";
import type { WorstCase } from "../../src/pricing/worst-case.ts";
import { readModelRequest } from "../../src/request/model-request.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { EndpointCatalog } from "../../src/upstream/endpoint-catalog.ts";
import { ModelCatalog } from "../../src/upstream/model-catalog.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";

/** Bounds the cost of requests at the prices of an upstream. */
export interface TestFinder {
  /** @param path the path of the endpoint, such as `messages`. */
  readonly find: (
    path: string,
    fields: object,
    headers?: IncomingHttpHeaders,
  ) => WorstCase | Promise<WorstCase>;
  readonly findRaw: (
    path: string,
    body: Buffer,
    headers: IncomingHttpHeaders,
  ) => WorstCase | Promise<WorstCase>;
}

/** Creates a finder that fetches its prices from an upstream. @param baseUrl URL of the upstream. */
export function createTestFinder(baseUrl: string): TestFinder {
  const upstream = connectUpstream({
    baseUrl,
    connectTimeoutMs: 5_000,
    headersTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    appUrl: undefined,
    appTitle: undefined,
  });
  onTestFinished(() => upstream.close());
  const finder = new WorstCaseFinder({
    catalog: new ModelCatalog(upstream, undefined),
    endpoints: new EndpointCatalog(upstream, undefined),
  });
  const findRaw: TestFinder["findRaw"] = (path, body, headers) => {
    const endpoint = RELAYED_ENDPOINTS.find((one) => one.path === path);
    if (!endpoint) throw new Error(`no endpoint has the path ${path}`);
    const call = readModelRequest(Buffer.from(body), endpoint.request, NO_ALIASES);
    return finder.findWorstCase({ ...call, endpoint, headers });
  };
  return {
    findRaw,
    find: (path, fields, headers = {}) => findRaw(path, Buffer.from(JSON.stringify(fields)), headers),
  };
}

import { EndpointCatalog } from "../../src/upstream/endpoint-catalog.ts";
import { ModelCatalog } from "../../src/upstream/model-catalog.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { formatModelList } from "../simulator/catalog.ts";
import { formatEndpoints } from "../simulator/model-endpoints.ts";

const nothing = (): void => {};
const CALL = { wasSent: true, abort: nothing, pause: nothing, resume: nothing };

/** An upstream without sockets that has the simulator's lists of models and endpoints. */
const upstream: Upstream = {
  send: ({ path }, sink) => {
    const url = new URL(path, "http://simulator");
    const id = /^\/models\/(.+)\/endpoints$/.exec(url.pathname)?.[1];
    const body = id === undefined ? formatModelList(url.searchParams) : formatEndpoints(id);
    queueMicrotask(() => {
      sink.onHead(readResponseHead(body === undefined ? 404 : 200, {}));
      sink.onData(Buffer.from(body ?? "{}"));
      sink.onEnd();
    });
    return CALL;
  },
  close: () => Promise.resolve(),
};

/** Creates catalogs with the simulator's prices. */
export function createSimulatedPrices(): { catalog: ModelCatalog; endpoints: EndpointCatalog } {
  return {
    catalog: new ModelCatalog(upstream, undefined),
    endpoints: new EndpointCatalog(upstream, undefined),
  };
}

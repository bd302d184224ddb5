// Says how often the garbage of requests that came and went had to be collected from where what lives long is kept.
import { PerformanceObserver } from "node:perf_hooks";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RequestContext } from "../../src/http/request-context.ts";
import { InFlight } from "../../src/limits/in-flight.ts";

const REQUESTS = 60_000;
const AT_ONCE = 32;
const MAJOR = 4;

let collections = 0;
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if ((entry as unknown as { detail: { kind: number } }).detail.kind === MAJOR) collections++;
});
observer.observe({ entryTypes: ["gc"] });

const inFlight = new InFlight(AT_ONCE);
const underWay: RequestContext[] = [];
for (let made = 0; made < REQUESTS; made++) {
  // What hangs on a request: its head, its body, its answer.
  const request = { id: "r", method: "POST", routeOptions: { url: "/" }, rest: Array(2_000).fill(made) };
  const context = new RequestContext(request as unknown as FastifyRequest, {} as FastifyReply, () => {});
  if (underWay.length === AT_ONCE) inFlight.leave(underWay.shift() as RequestContext);
  inFlight.enter(context);
  underWay.push(context);
  if (made % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(JSON.stringify({ collections, count: inFlight.count }));

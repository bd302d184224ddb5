// Creates many short requests, and prints how many major garbage collections (of the old generation) they cause.
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
const open: RequestContext[] = [];
for (let created = 0; created < REQUESTS; created++) {
  // Occupies the memory that a request holds: head, body and response.
  const request = { id: "r", method: "POST", routeOptions: { url: "/" }, rest: Array(2_000).fill(created) };
  const context = new RequestContext(request as unknown as FastifyRequest, {} as FastifyReply, () => {});
  if (open.length === AT_ONCE) inFlight.leave(open.shift() as RequestContext);
  inFlight.enter(context);
  open.push(context);
  if (created % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write(JSON.stringify({ collections, count: inFlight.count }));

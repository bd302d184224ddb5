// Responses without a generation, which are never billed: errors, HTML pages, redirects, and connections that are aborted
// before the response head.
import type { Plan } from "./behaviour.ts";
import { USER_ID, formatCloudflarePage } from "./errors.ts";
import { type HttpExchange, sleep } from "./http-exchange.ts";
import type { SimulatorState } from "./state.ts";

type NamedPlan<N extends Plan["name"]> = Extract<Plan, { name: N }>;

/** The plan of a response that is sent before the request has been read. */
export type EarlyPlan = NamedPlan<"early-413">;

/** Sends 413 without reading the rest of the body, and closes the connection `lingerMs` later. */
export async function refuseEarly(exchange: HttpExchange, { own, common }: EarlyPlan): Promise<void> {
  const body = exchange.formatError(413);
  const length = String(Buffer.byteLength(body));
  exchange.req.pause();
  await sleep(common.delayMs);
  if (!exchange.isOpen) return;
  // Content-Length completes the response before the connection closes. If the socket were closed at once, with unread data,
  // the kernel would send a reset that can overtake the response.
  const headers = ["Content-Type", "application/json", "Content-Length", length, "Connection", "close"];
  exchange.writeHead(413, headers);
  exchange.write(body);
  exchange.breakConnection((socket) => void sleep(own.lingerMs).then(() => socket.destroySoon()));
}

/** Returns the plan that a request gets: `flaky` fails only the first requests, any other plan stays the same. */
export function resolveFlaky({ flakyFailures }: SimulatorState, plan: Plan): Plan {
  if (plan.name !== "flaky") return plan;
  const { own, common } = plan;
  const failures = flakyFailures.get(own.id) ?? 0;
  if (failures >= own.times) return { name: "ok", own: {}, common };
  flakyFailures.set(own.id, failures + 1);
  if (own.cutAfter >= 0) return { name: "cut", own: { after: own.cutAfter, half: 0 }, common };
  return { name: "error", own: { status: own.status, retryAfter: own.retryAfter, metadataBytes: 0 }, common };
}

function sendPage(exchange: HttpExchange, status: number): void {
  exchange.writeHead(status, ["Content-Type", "text/html; charset=UTF-8"]);
  exchange.end(formatCloudflarePage(status));
}

/** Returns a function that sends the refusal of a plan; undefined if the plan does not refuse the request. */
export function findRefusal(exchange: HttpExchange, plan: Plan): (() => void | Promise<void>) | undefined {
  if (plan.name === "error") {
    const { status, retryAfter, metadataBytes } = plan.own;
    return () => exchange.sendError(status, { userId: USER_ID, metadataBytes }, retryAfter);
  }
  if (plan.name === "html") return () => sendPage(exchange, plan.own.status);
  if (plan.name === "redirect") {
    const location = ["Location", "/api/v1/redirect-target"];
    return () => exchange.sendJson(plan.own.status, "{}", location);
  }
  if (plan.name === "early-413") return () => exchange.sendError(413);
  if (plan.name === "hang") return () => undefined;
  if (plan.name === "close") return () => exchange.breakConnection((socket) => socket.destroySoon());
  if (plan.name === "garbage") {
    return () =>
      exchange.breakConnection((socket) => socket.end("SSH-2.0-simulated\r\nthis is not HTTP\r\n\r\n"));
  }
  if (plan.name === "reset" && (plan.own.head === 0 || plan.own.after < 0)) {
    return () => exchange.breakConnection((socket) => socket.resetAndDestroy());
  }
  return undefined;
}

import type { Harness } from "../harness.ts";
import type { ClientCall, Outgoing } from "../client-call.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import { respondJson, PLAIN_RESPONSE, type Responder } from "../upstream-responses.ts";

interface ErrorBody {
  readonly error?: {
    readonly message?: unknown;
    readonly type?: unknown;
    readonly code?: unknown;
  };
}

/** Lists the reasons why OpenAI's SDKs cannot read a response as an error with this status; empty if they can. */
function listFaults({ response }: ClientCall, status: number): string[] {
  const faults: string[] = [];
  const type = response.readHeader("content-type") ?? "(absent)";
  if (response.status !== status) faults.push(`status ${response.status}`);
  if (!/^application\/json\b/.test(type)) faults.push(`content-type: ${type}`);
  if (!response.readHeader("x-request-id")) faults.push("no x-request-id");
  let body: ErrorBody | null = null;
  try {
    body = JSON.parse(response.body.toString()) as ErrorBody | null;
  } catch {
    faults.push("a body that is not JSON");
  }
  const error = body?.error;
  for (const name of ["message", "type", "code"] as const) {
    const value = error?.[name];
    if (typeof value !== "string" || value === "")
      faults.push(`error.${name} is ${JSON.stringify(value) ?? "absent"}`);
  }
  return faults;
}

/** Waits for the response and checks that it is an error of this status that OpenAI's SDKs map to the right class. */
async function judgeError(harness: Harness, call: ClientCall, status: number): Promise<CheckOutcome> {
  await harness.waitForResponse(call);
  const faults = listFaults(call, status);
  const body = call.response.body.toString("utf8", 0, 200);
  return toOutcome(
    faults.length === 0,
    faults.length === 0 ? body : `${faults.join(", ")}; the body is ${JSON.stringify(body)}`,
  );
}

/** An error that SDKs must be able to read, and the request or the upstream response that causes it. */
export interface ErrorCase {
  /** The id of the check, including its group. */
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly status: number;
  readonly buildRequest: (messages: string) => Outgoing;
  /** Upstream's response. The default is a plain 200, with which the check fails if the gateway forwards the request. */
  readonly upstream?: Responder;
}

/** A small chat completion. */
export function buildChatBody(messages: string): string {
  return `{"model":"openai/gpt-4o-mini","messages":${messages}}`;
}

/** Creates the check that the gateway responds with the error. */
export function createErrorCheck({
  id,
  title,
  why,
  status,
  buildRequest,
  upstream = respondJson([PLAIN_RESPONSE]),
}: ErrorCase): Check {
  return {
    id,
    title,
    why,
    expected: `status ${status}, application/json, x-request-id, and error.message, .type and .code as text`,
    run: async (harness) => {
      harness.respondWith(upstream);
      return judgeError(harness, harness.send(buildRequest(harness.messages)), status);
    },
  };
}

import type { Harness } from "../harness.ts";
import type { ClientCall, Outgoing } from "../client-call.ts";
import { type ErrorShape, OPENAI_SHAPE } from "../error-shapes.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import { respondJson, PLAIN_RESPONSE, type Responder } from "../upstream-responses.ts";

/** Lists the reasons why SDKs cannot read a response as an error with this status; empty if they can. */
function listFaults({ response }: ClientCall, status: number, shape: ErrorShape): string[] {
  const faults: string[] = [];
  const type = response.readHeader("content-type") ?? "(absent)";
  if (response.status !== status) faults.push(`status ${response.status}`);
  if (!/^application\/json\b/.test(type)) faults.push(`content-type: ${type}`);
  if (!response.readHeader("x-request-id")) faults.push("no x-request-id");
  let body: unknown;
  try {
    body = JSON.parse(response.body.toString());
  } catch {
    faults.push("a body that is not JSON");
  }
  return [...faults, ...shape.listFaults(body, status)];
}

/** Waits for the response and checks that it is an error of this status that SDKs map to the right class. */
async function judgeError(
  harness: Harness,
  call: ClientCall,
  { status, shape = OPENAI_SHAPE }: ErrorCase,
): Promise<CheckOutcome> {
  await harness.waitForResponse(call);
  const faults = listFaults(call, status, shape);
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
  /** The shape that the SDKs of the endpoint expect; by default, that of OpenAI. */
  readonly shape?: ErrorShape;
  readonly buildRequest: (harness: Harness) => Outgoing;
  /** Upstream's response. The default is a plain 200, with which the check fails if the gateway forwards the request. */
  readonly upstream?: Responder;
}

/** Creates the check that the gateway responds with the error. */
export function createErrorCheck(error: ErrorCase): Check {
  const { id, title, why, status, shape = OPENAI_SHAPE, upstream = respondJson([PLAIN_RESPONSE]) } = error;
  return {
    id,
    title,
    why,
    expected: `status ${status}, application/json, x-request-id, and ${shape.expected}`,
    run: async (harness) => {
      harness.respondWith(upstream);
      return judgeError(harness, harness.send(error.buildRequest(harness)), error);
    },
  };
}

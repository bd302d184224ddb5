import { Agent } from "node:http";
import { openChatRequest } from "../support/chat-client.ts";
import type { PlannedRequest } from "./plan.ts";
import type { Replica } from "../support/replica.ts";

const AT_ONCE = 32;
/** Nothing in a plan takes nearly so long: a request that does is a fault. */
const DEADLINE_MS = 60_000;

/** What a caller saw of its answer. */
export interface CallerOutcome {
  readonly planned: PlannedRequest;
  /** As in the answer's head; undefined: there was none, or no head. */
  generationId: string | undefined;
  status: number;
}

/** The id by which a request is known to gateway and upstream. */
export function formatRequestId(number: number): string {
  return `sim-${number}`;
}

/**
 * Makes all requests of a plan, in turn to each replica.
 * @param secrets of the gateway keys. @param before called before each request with its number.
 */
export async function runCallers(
  plan: readonly PlannedRequest[],
  replicas: readonly Replica[],
  secrets: readonly string[],
  before: (number: number) => void,
): Promise<CallerOutcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const seen: CallerOutcome[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let planned = plan[next++]; planned; planned = plan[next++]) {
      before(planned.number);
      const replica = replicas[planned.number % replicas.length];
      // What is under way when it is killed is lost; what comes after would only meet a closed port.
      await replica?.whenUp;
      seen.push(await send(agent, replica?.port ?? 0, secrets[planned.key] ?? "", planned));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  agent.destroy();
  return seen;
}

function send(agent: Agent, port: number, secret: string, planned: PlannedRequest): Promise<CallerOutcome> {
  const seen: CallerOutcome = { planned, generationId: undefined, status: 0 };
  const id = formatRequestId(planned.number);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(leaving);
      clearTimeout(deadline);
      resolve(seen);
    };
    const call = openChatRequest({ agent, port, secret, id });
    const leaving =
      planned.leavesAfterMs === undefined
        ? undefined
        : setTimeout(() => call.destroy(), planned.leavesAfterMs);
    const deadline = setTimeout(
      () => reject(new Error(`${id} took longer than ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    );
    call.on("response", (response) => {
      seen.status = response.statusCode ?? 0;
      const generationId = response.headers["x-generation-id"];
      if (typeof generationId === "string") seen.generationId = generationId;
      response.on("error", () => {});
      response.on("close", end);
      response.resume();
    });
    // Its replica may be dead, or die.
    call.on("error", end);
    call.end(planned.body);
  });
}

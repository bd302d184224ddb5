import { Agent } from "node:http";
import { openChatRequest } from "../support/chat-client.ts";
import type { PlannedRequest } from "./plan.ts";
import type { Replica } from "../support/replica.ts";

const AT_ONCE = 32;
/** Every planned request takes much less time than this, so a slower request is an error. */
const DEADLINE_MS = 60_000;

/** A client's view of its response. */
export interface ClientOutcome {
  readonly planned: PlannedRequest;
  /** The id in the response head; undefined: no head arrived, or it had no id. */
  generationId: string | undefined;
  status: number;
}

/** Formats the id of a request at the gateway and upstream. */
export function formatRequestId(number: number): string {
  return `sim-${number}`;
}

/**
 * Sends all requests of a plan. The replicas receive them in turn.
 * @param secrets secrets of the gateway keys. @param beforeRequest called before each request with its number.
 */
export async function runClients(
  plan: readonly PlannedRequest[],
  replicas: readonly Replica[],
  secrets: readonly string[],
  beforeRequest: (number: number) => void,
): Promise<ClientOutcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const outcomes: ClientOutcome[] = [];
  let next = 0;
  const runClient = async (): Promise<void> => {
    for (let planned = plan[next++]; planned; planned = plan[next++]) {
      beforeRequest(planned.number);
      const replica = replicas[planned.number % replicas.length];
      // A killed replica loses its requests in flight. Later requests wait until the replica listens again.
      await replica?.whenUp;
      outcomes.push(await send(agent, replica?.port ?? 0, secrets[planned.key] ?? "", planned));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runClient));
  agent.destroy();
  return outcomes;
}

function send(agent: Agent, port: number, secret: string, planned: PlannedRequest): Promise<ClientOutcome> {
  const outcome: ClientOutcome = { planned, generationId: undefined, status: 0 };
  const id = formatRequestId(planned.number);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(disconnectTimer);
      clearTimeout(deadline);
      resolve(outcome);
    };
    const call = openChatRequest({ agent, port, secret, id, endpoint: planned.endpoint });
    const disconnectTimer =
      planned.disconnectsAfterMs === undefined
        ? undefined
        : setTimeout(() => call.destroy(), planned.disconnectsAfterMs);
    const deadline = setTimeout(
      () => reject(new Error(`${id} took longer than ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    );
    call.on("response", (response) => {
      outcome.status = response.statusCode ?? 0;
      const generationId = response.headers["x-generation-id"];
      if (typeof generationId === "string") outcome.generationId = generationId;
      response.on("error", () => {});
      response.on("close", end);
      response.resume();
    });
    // The replica may be dead, or may die during the request.
    call.on("error", end);
    call.end(planned.body);
  });
}

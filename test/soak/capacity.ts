import { Agent, type ClientRequest } from "node:http";
import { openChatRequest } from "../support/chat-client.ts";
import { waitUntil } from "../support/wait.ts";

/** A stream of this model is still open when the last of many streams begins. */
const MODEL = "sim/ok:gapMs=2000,events=4";
const DEADLINE_MS = 20_000;

/**
 * Tests whether a gateway admits MAX_IN_FLIGHT requests: opens this many streams at once, and one more.
 * @param ids ids of the requests: one more than MAX_IN_FLIGHT.
 * @returns the statuses of the streams, and of the extra request.
 */
export async function fillCapacity(
  port: number,
  secret: string,
  ids: readonly string[],
): Promise<{ statuses: number[]; extra: number }> {
  const agent = new Agent({ keepAlive: false });
  const statuses: number[] = [];
  const open: ClientRequest[] = [];
  const begin = (id: string): void => {
    const call = openChatRequest({ agent, port, secret, id });
    call.on("response", (response) => {
      statuses.push(response.statusCode ?? 0);
      response.on("error", () => {});
      response.resume();
    });
    call.on("error", () => {});
    call.end(JSON.stringify({ model: MODEL, stream: true, messages: [{ role: "user", content: "Hello" }] }));
    open.push(call);
  };
  const admitted = ids.slice(0, -1);
  admitted.forEach(begin);
  await waitUntil(
    () => statuses.length === admitted.length,
    "a response to every admitted request",
    DEADLINE_MS,
  );
  begin(ids.at(-1) ?? "");
  await waitUntil(() => statuses.length === ids.length, "a response to the extra request", DEADLINE_MS);
  for (const call of open) call.destroy();
  agent.destroy();
  return { statuses: statuses.slice(0, -1), extra: statuses.at(-1) ?? 0 };
}

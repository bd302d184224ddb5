import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One response to `GET /generation`. */
interface RecordResponse {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Upstream's response to one chat completion, and the cost it bills. */
export interface Scenario {
  /** Responds to the request. `id` is its generation id. */
  readonly respond: (
    response: ServerResponse,
    id: string,
    body: Record<string, unknown>,
  ) => void | Promise<void>;
  /** Billed cost in USD, as OpenRouter writes it; undefined: nothing is billed, and no record exists. */
  readonly costUsd?: number;
  /**
   * Returns the response to a look-up of the generation record, or undefined for the usual record.
   * @param lookUp number of the look-up, from 1. @param id the generation id.
   */
  readonly record?: (lookUp: number, id: string) => RecordResponse | undefined;
}

/** A hostile fake of OpenRouter with its own records. It shares no code with the gateway or the simulator. */
interface HostileOpenRouter {
  readonly baseUrl: string;
  /** Number of look-ups of each generation id. */
  readonly lookUps: ReadonlyMap<string, number>;
  /** Generation ids by scenario. */
  readonly ids: ReadonlyMap<string, string>;
}

/** Starts the fake. A request selects a scenario by the model id `scenario/<name>`. */
export async function startHostileOpenRouter(
  scenarios: Readonly<Record<string, Scenario>>,
): Promise<HostileOpenRouter> {
  const ids = new Map<string, string>();
  const lookUps = new Map<string, number>();
  const scenarioById = new Map<string, Scenario>();
  const server = createServer((request, response) => {
    response.on("error", () => {});
    const url = new URL(request.url ?? "/", "http://upstream");
    if (url.pathname === "/api/v1/generation") {
      const id = url.searchParams.get("id") ?? "";
      const lookUp = (lookUps.get(id) ?? 0) + 1;
      lookUps.set(id, lookUp);
      const scenario = scenarioById.get(id);
      const { status, body, headers } = scenario?.record?.(lookUp, id) ?? buildRecord(id, scenario?.costUsd);
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
      return;
    }
    void complete(request, response);
  });
  const complete = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const name = String(body["model"]).replace("scenario/", "");
    const scenario = scenarios[name];
    const id = `gen-1760000000-${name.replaceAll(/\W/g, "")}${String(ids.size).padStart(6, "0")}`;
    ids.set(name, id);
    if (scenario) scenarioById.set(id, scenario);
    await scenario?.respond(response, id, body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}/api/v1`, lookUps, ids };
}

/** Builds OpenRouter's response with the record of a generation, or a 404 if there is no cost. */
export function buildRecord(id: string, costUsd: number | undefined, fields: object = {}): RecordResponse {
  if (costUsd === undefined)
    return { status: 404, body: { error: { code: 404, message: `Generation ${id} not found` } } };
  const tokens = {
    native_tokens_prompt: 200_000,
    native_tokens_completion: 500,
    tokens_prompt: 1,
    tokens_completion: 1,
  };
  return {
    status: 200,
    body: {
      data: {
        id,
        total_cost: costUsd,
        usage: costUsd,
        model: "a/b",
        provider_name: "Prov",
        ...tokens,
        ...fields,
      },
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
}

/** Formats an event of an event stream. */
export function formatEvent(value: unknown): string {
  return `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;
}

/** Builds a usage object as OpenRouter states it. */
export function buildUsage(costUsd: number): object {
  return {
    prompt_tokens: 200_000,
    completion_tokens: 500,
    total_tokens: 200_500,
    cost: costUsd,
    is_byok: false,
  };
}

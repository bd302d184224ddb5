import OpenAI, { type ClientOptions } from "openai";
import { onTestFinished } from "vitest";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../tools/simulator/simulator.ts";
import { CALLER_KEY, startTestGateway, type TestGateway } from "../support/gateway.ts";

export const MODEL = "openrouter/openai/gpt-4o-mini";
export const HELLO: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: "user", content: "Grüße, 世界 🌊" }];

export interface Setup {
  readonly client: OpenAI;
  readonly simulator: Simulator;
  readonly gateway: TestGateway;
}

/** The official client for a gateway. It retries only if `maxRetries` is set. */
export function createClient(gateway: TestGateway, options: ClientOptions = {}): OpenAI {
  return new OpenAI({
    baseURL: `${gateway.url}/openai/v1`,
    apiKey: CALLER_KEY,
    maxRetries: 0,
    timeout: 10_000,
    ...options,
  });
}

/** The official client, a gateway, and a simulated OpenRouter behind it. */
export async function setUpClient(
  options: ClientOptions = {},
  env: Record<string, string | undefined> = {},
  simulation: SimulatorOptions = {},
): Promise<Setup> {
  const simulator = await startSimulator(simulation);
  onTestFinished(() => simulator.close());
  const gateway = await startTestGateway(simulator.baseUrl, env);
  return { client: createClient(gateway, options), simulator, gateway };
}

/** Returns the error that a promise is rejected with. */
export async function catchRejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise was fulfilled");
}

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

/** Creates the official client for a gateway. It does not retry unless `options` set `maxRetries`. */
export function createClient(gateway: TestGateway, options: ClientOptions = {}): OpenAI {
  return new OpenAI({
    baseURL: `${gateway.url}/openai/v1`,
    apiKey: CALLER_KEY,
    maxRetries: 0,
    timeout: 20_000,
    ...options,
  });
}

/** Starts a gateway in front of a simulated OpenRouter, and creates the official client for the gateway. */
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

/** Returns the error with which a promise is rejected. @throws if the promise is fulfilled. */
export async function catchRejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise was fulfilled");
}

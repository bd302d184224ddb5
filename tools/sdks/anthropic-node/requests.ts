// The client, the requests and the tool of the probe of Anthropic's SDK.
import Anthropic, { type ClientOptions } from "@anthropic-ai/sdk";
import * as probe from "../harness.ts";

/** Creates a client. It retries only if the options set `maxRetries`. */
export function connect(options: ClientOptions = {}): Anthropic {
  return new Anthropic({ baseURL: probe.BASE_URL, apiKey: probe.API_KEY, maxRetries: 0, ...options });
}

/** A tool that has a city as its only parameter. */
export const TOOL = { name: probe.TOOL_NAME, input_schema: probe.TOOL_SCHEMA };

interface Request {
  model: string;
  max_tokens: number;
  messages: Anthropic.MessageParam[];
}

/** Returns a request with the prompt of a scenario. */
export function createRequest(scenario: string, model: string): Request {
  return { model, max_tokens: 500, messages: [{ role: "user", content: probe.buildPrompt(scenario) }] };
}

/** @returns the text of all content blocks. */
export function readText({ content }: { content: readonly { type: string; text?: string }[] }): string {
  return content.map(({ text = "" }) => text).join("");
}

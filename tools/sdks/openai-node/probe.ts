// Probe of OpenAI's official SDK for Node.
import {
  APIConnectionTimeoutError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  OpenAI,
  RateLimitError,
} from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as probe from "../harness.ts";
import { otherScenarios, responsesScenarios } from "./endpoints.ts";
import { type OpenAiSdk, runOpenAiProbe } from "../openai-scenarios.ts";

type Options = Parameters<OpenAiSdk["connect"]>[0];

function connect(options: Options = {}): OpenAI {
  return new OpenAI({ baseURL: probe.BASE_URL, apiKey: probe.API_KEY, maxRetries: 0, ...options });
}

const { completions } = connect().chat;

const openAiSdk: OpenAiSdk = {
  connect,
  errors: {
    APIConnectionTimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
  },
  streamToEnd: (request) => completions.stream(request).finalChatCompletion(),
  parseReport: async (request) => {
    const report = z.object({ city: z.string(), celsius: z.int() });
    const response_format = zodResponseFormat(report, "report");
    const completion = await completions.parse({ ...request, response_format });
    return completion.choices[0]?.message.parsed;
  },
  requestIdField: "requestID",
};

await runOpenAiProbe(openAiSdk, { ...responsesScenarios, ...otherScenarios });

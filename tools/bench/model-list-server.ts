// A worker thread that serves a list of models, as long as OpenRouter's, so that the measured event loop does not.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";

const MODELS = 700;
const DESCRIPTION = "A model that follows instructions, calls tools and reads images. ".repeat(10);

const data = Array.from({ length: MODELS }, (_, model) => ({
  id: `vendor/model-${model}`,
  canonical_slug: `vendor/model-${model}-20260101`,
  name: `Vendor: Model ${model}`,
  created: 1_767_225_600,
  description: DESCRIPTION,
  context_length: 131_072,
  architecture: { input_modalities: ["text", "image"], output_modalities: ["text"] },
  pricing: { prompt: "0.00000015", completion: "0.0000006", input_cache_read: "0.000000075" },
  top_provider: { context_length: 131_072, max_completion_tokens: 16_384, is_moderated: false },
  supported_parameters: ["max_tokens", "reasoning", "response_format", "seed", "temperature", "tools"],
}));
const body = JSON.stringify({ data });

const server = createServer((_request, response) =>
  response.writeHead(200, { "content-type": "application/json" }).end(body),
);
server.listen(0, "127.0.0.1", () => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no target origin
  parentPort?.postMessage((server.address() as AddressInfo).port);
});

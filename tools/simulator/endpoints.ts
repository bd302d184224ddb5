// The POST endpoints that send requests to models. To add an endpoint, add its module to this table.
import type { Endpoint } from "./endpoint.ts";
import { chat } from "./protocols/chat.ts";
import { completions } from "./protocols/completions.ts";
import { embeddings } from "./protocols/embeddings.ts";
import { messages } from "./protocols/messages.ts";
import { rerank } from "./protocols/rerank.ts";
import { responses } from "./protocols/responses.ts";

const ENDPOINTS: readonly Endpoint[] = [chat, completions, responses, messages, embeddings, rerank];

/** The endpoint at a path after /api/v1. */
export function findEndpoint(path: string): Endpoint | undefined {
  return ENDPOINTS.find((endpoint) => endpoint.path === path);
}

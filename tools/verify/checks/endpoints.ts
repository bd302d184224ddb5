import type { Check } from "../check.ts";
import { type Endpoint, ENDPOINTS } from "../endpoints.ts";
import { createBrokenStreamChecks, createFailureChecks, createUpgradeCheck } from "./endpoint-failures.ts";
import { createRequestChecks } from "./endpoint-requests.ts";
import {
  createEmbeddingsChecks,
  createPlainResponseChecks,
  createStreamChecks,
} from "./endpoint-responses.ts";
import { createMessagesRequestChecks } from "./messages-requests.ts";

/** Checks of features that only one endpoint has. */
const OWN_CHECKS: Readonly<Record<string, (endpoint: Endpoint) => readonly Check[]>> = {
  responses: (endpoint) => [createUpgradeCheck(endpoint)],
  messages: createMessagesRequestChecks,
  embeddings: createEmbeddingsChecks,
};

function createChecks(endpoint: Endpoint): readonly Check[] {
  const { group, stream } = endpoint;
  return [
    ...createRequestChecks(endpoint),
    ...(OWN_CHECKS[group]?.(endpoint) ?? []),
    ...createPlainResponseChecks(endpoint),
    ...(stream ? createStreamChecks(endpoint, stream) : []),
    ...createFailureChecks(endpoint),
    ...(stream ? createBrokenStreamChecks(endpoint, stream) : []),
  ];
}

/** Checks of the endpoints besides chat completions. The name of a group is that of its endpoint. */
export const ENDPOINT_CHECKS: readonly Check[] = ENDPOINTS.flatMap(createChecks);

import { type ErrorFormat, OPENAI_ERRORS } from "../http/error-format.ts";
import { DOCUMENTED_BASE_PATH } from "./base-paths.ts";
import { CATALOG_ENDPOINTS } from "./catalog-endpoints.ts";
import { DIAGNOSTIC_STREAM_PATH } from "./diagnostic-stream.ts";
import { GENERATION_PATH } from "./generation.ts";
import { CREDITS_PATH, KEY_PATH } from "./key.ts";
import { MODEL_PATHS } from "./models.ts";
import { RELAYED_ENDPOINTS } from "./relayed-endpoints.ts";

/** An endpoint of the gateway, for error messages and descriptions. */
export interface KnownEndpoint {
  readonly method: "GET" | "POST";
  /** Path below a base path. `:name` matches any segment, and `*` any further segments. */
  readonly path: string;
  /** The documented base path of the endpoint. */
  readonly basePath: string;
  readonly errors: ErrorFormat;
}

/** Paths of the endpoints with modules of their own. */
const OTHER_PATHS = [...MODEL_PATHS, KEY_PATH, CREDITS_PATH, GENERATION_PATH, DIAGNOSTIC_STREAM_PATH];

/** Every endpoint below the base paths. */
export const KNOWN_ENDPOINTS: readonly KnownEndpoint[] = [
  ...RELAYED_ENDPOINTS.map(({ path, basePaths, errors }) => ({
    method: "POST" as const,
    path,
    basePath: basePaths[0] ?? DOCUMENTED_BASE_PATH,
    errors,
  })),
  ...[...OTHER_PATHS, ...CATALOG_ENDPOINTS.map(({ path }) => path)].map((path) => ({
    method: "GET" as const,
    path,
    basePath: DOCUMENTED_BASE_PATH,
    errors: OPENAI_ERRORS,
  })),
];

/** All endpoints as a text, such as `POST completions, responses; GET models`. */
export const ENDPOINT_SUMMARY = (["POST", "GET"] as const).map(summarize).join("; ");

function summarize(method: KnownEndpoint["method"]): string {
  const paths = KNOWN_ENDPOINTS.filter((endpoint) => endpoint.method === method).map(({ path }) =>
    formatPath(path),
  );
  return `${method} ${paths.join(", ")}`;
}

/** Formats the path of an endpoint as the description of the API does: `models/{id}`. */
export function formatPath(path: string): string {
  return path.replace("*", "{id}").replaceAll(/:(\w+)/g, "{$1}");
}

import { ANTHROPIC_ERRORS, type ErrorFormat, OPENAI_ERRORS } from "../http/error-format.ts";

export const DOCUMENTED_BASE_PATH = "/openai/v1";

/** The documented base path, and aliases for clients that insist on another. */
export const BASE_PATHS: readonly string[] = [DOCUMENTED_BASE_PATH, "/v1", "/api/v1"];

/** Base URL of Anthropic's clients, which append `/v1` themselves. */
export const ANTHROPIC_CLIENT_PATH = "/anthropic";

/** Base path for clients of Anthropic's API, which may also use the others. */
export const ANTHROPIC_BASE_PATH = `${ANTHROPIC_CLIENT_PATH}/v1`;

/** Base paths of the endpoints that call no model. */
export const READ_BASE_PATHS: readonly string[] = [...BASE_PATHS, ANTHROPIC_BASE_PATH];

/** Returns the format of errors of the endpoints below a base path that call no model. */
export function getErrorFormat(basePath: string): ErrorFormat {
  return basePath === ANTHROPIC_BASE_PATH ? ANTHROPIC_ERRORS : OPENAI_ERRORS;
}

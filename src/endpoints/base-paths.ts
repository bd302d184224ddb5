/** The documented base path, and aliases for clients that insist on another. */
export const BASE_PATHS: readonly string[] = ["/openai/v1", "/v1", "/api/v1"];

/** Base path for clients of Anthropic's API, which may also use the others. */
export const ANTHROPIC_BASE_PATH = "/anthropic/v1";

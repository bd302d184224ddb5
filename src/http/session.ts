import type { IncomingHttpHeaders } from "node:http";

/** Headers in which clients name their session: OpenRouter's own, those of Claude Code, Codex and opencode. */
const SESSION_HEADERS = [
  "x-session-id",
  "x-claude-code-session-id",
  "session-id",
  "session_id",
  "x-opencode-session",
] as const;

/**
 * Returns the client's id of the session that a request belongs to, which groups requests in reports. A client can send any
 * text, so it must never decide about access.
 */
export function readSession(headers: IncomingHttpHeaders): string | undefined {
  for (const name of SESSION_HEADERS) {
    const value = headers[name];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

import type { IssuedKey } from "../api/types.ts";

/** A cheap model that OpenRouter has had for years. */
const DEFAULT_MODEL = "openai/gpt-4o-mini";

/** Returns a model that the key may use; undefined if only the catalogue can tell. @param models patterns; null: every model. */
export function findSampleModel(models: readonly string[] | null): string | undefined {
  if (models === null || models.includes("*")) return DEFAULT_MODEL;
  return models.find((pattern) => !pattern.includes("*") && !pattern.includes("@"));
}

/** Quotes a text for a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Creates a command that works with a new key: a short chat completion, or a list of keys for an admin key.
 * @param origin of the gateway, such as `https://sluice.example.com`.
 */
export function createCommand(
  origin: string,
  { role, secret }: Pick<IssuedKey, "role" | "secret">,
  model: string,
): string {
  const authorization = `-H "Authorization: Bearer ${secret}"`;
  if (role === "admin") return `curl ${quote(`${origin}/admin/v1/keys`)} \\\n  ${authorization}`;
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }], max_tokens: 50 });
  return [
    `curl ${quote(`${origin}/openai/v1/chat/completions`)}`,
    authorization,
    '-H "Content-Type: application/json"',
    `-d ${quote(body)}`,
  ].join(" \\\n  ");
}

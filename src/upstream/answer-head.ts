import type { UpstreamHead } from "./call.ts";

const MAX_CHARS = 128;

/** The id of the generation that an answer is of, if it is one. */
export function generationIdOf({ headers }: UpstreamHead): string | undefined {
  const id = headers["x-generation-id"];
  // Half of an id is that of nothing.
  return typeof id === "string" && id.length > MAX_CHARS ? undefined : shortText(id);
}

/** The provider that OpenRouter has chosen. */
export function providerOf({ headers }: UpstreamHead): string | undefined {
  return shortText(headers["x-provider-name"]);
}

function shortText(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_CHARS) : undefined;
}

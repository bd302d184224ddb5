import type { UnboundedCost } from "./unbounded-costs.ts";

/**
 * Anthropic's beta features that do not change the price, or only the price of requests with a field that the bound considers,
 * such as `speed`, `ttl` or the type of a tool. Clients such as Claude Code send them with every request.
 */
const KNOWN_FEATURE =
  /^(?:claude-code|oauth|interleaved-thinking|redact-thinking|thinking-token-count|context-management|context-1m|prompt-caching|prompt-caching-scope|extended-cache-ttl|fine-grained-tool-streaming|token-efficient-tools|advanced-tool-use|structured-outputs|effort|fast-mode)-\d{4}-?\d{2}-?\d{2}$/;

const NONE: readonly UnboundedCost[] = [];

/**
 * Finds the unbounded costs of beta features.
 * @param name the header that enables them. @param value its value, a list with commas; undefined: it is absent.
 */
export function findUnboundedBetas(
  name: string,
  value: string | readonly string[] | undefined,
): readonly UnboundedCost[] {
  if (value === undefined) return NONE;
  const features = String(value).split(",");
  if (features.every((feature) => KNOWN_FEATURE.test(feature.trim()))) return NONE;
  return [
    {
      name: "beta",
      note: `A beta feature in the header ${name} can change the price in an unknown way: drop the header, or this feature.`,
    },
  ];
}

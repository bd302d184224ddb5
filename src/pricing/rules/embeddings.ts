import { readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import { DESCRIPTION, PROVIDER, ROUTING, splitNames } from "../known-fields.ts";
import { NO_PARTS } from "../prompt-size.ts";
import { TEXT_PART } from "../unbounded-costs.ts";

/** Marks and instructions that a provider adds to each input, as a multiple of those of a message. */
const MARKS_PER_INPUT = 4;

/** How the cost of embeddings is bounded. Only tokens of the input are billed. */
export const EMBEDDINGS_COST: CostRules = {
  output: "embeddings",
  unbounded: {
    known: {
      topLevel: splitNames(DESCRIPTION, ROUTING, "input input_type encoding_format dimensions truncate"),
      objects: { provider: PROVIDER },
      items: {},
    },
    hasMedia: ({ input }) => readItems(input).some(isMedia),
    hasServerTools: () => false,
  },
  readParts: ({ input }) => ({ ...NO_PARTS, messages: countInputs(input) }),
  completion: undefined,
  plain: {
    fields: splitNames("model models input input_type encoding_format dimensions user"),
    textField: "input",
    countTexts: (input) => (typeof input === "string" ? MARKS_PER_INPUT : -1),
  },
};

/** A text, a token or a list of tokens is none. A token takes at least two bytes of the body, so its bytes bound it. */
function isMedia(input: unknown): boolean {
  if (typeof input === "string" || typeof input === "number") return false;
  if (Array.isArray(input)) return input.some((token) => typeof token !== "number");
  const fields = readFields(input);
  return (
    Object.keys(fields).some((name) => name !== "content") || readItems(fields["content"]).some(isMediaPart)
  );
}

function isMediaPart(part: unknown): boolean {
  const fields = readFields(part);
  return fields["type"] !== "text" || Object.keys(fields).some((name) => !TEXT_PART.has(name));
}

function countInputs(input: unknown): number {
  return MARKS_PER_INPUT * Math.max(1, readItems(input).filter((one) => typeof one !== "number").length);
}

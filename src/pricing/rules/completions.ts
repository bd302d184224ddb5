import { type JsonObject, readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import { readCount } from "../json-fields.ts";
import {
  DEPENDENT,
  DESCRIPTION,
  PROVIDER,
  REASONING,
  ROUTING,
  SAMPLING,
  splitNames,
} from "../known-fields.ts";
import { NO_PARTS, toFormatParts } from "../prompt-size.ts";

/** How the cost of a legacy completion is bounded. */
export const COMPLETIONS_COST: CostRules = {
  output: "text",
  unbounded: {
    known: {
      topLevel: splitNames(
        SAMPLING,
        DESCRIPTION,
        DEPENDENT,
        ROUTING,
        `prompt suffix echo best_of n max_tokens max_completion_tokens response_format reasoning reasoning_effort
        include_reasoning`,
      ),
      objects: { provider: PROVIDER, reasoning: REASONING },
      items: {},
    },
    hasMedia: ({ prompt }) => readItems(prompt).some((one) => !isText(one)),
    hasServerTools: () => false,
  },
  readParts: (fields) => {
    const format = fields["response_format"];
    const isPlain = (readFields(format)["type"] ?? "text") === "text";
    return {
      ...NO_PARTS,
      messages: countPrompts(fields),
      schemas: toFormatParts(format, readFields(readFields(format)["json_schema"])["schema"]),
      instructions: isPlain ? 0 : 1,
    };
  },
  completion: {
    limitFields: ["max_tokens", "max_completion_tokens"],
    toChatFields: (fields) => ({ ...fields, n: countPrompts(fields) * countChoices(fields) }),
    countPromptUses: countChoices,
    // A provider may bill an echo of the prompt as a part of the completion.
    boundRepeatedBytes: ({ fields, bytes }) => (fields["echo"] === true ? bytes.length : 0),
  },
  plain: {
    fields: splitNames(SAMPLING, DESCRIPTION, "model models prompt max_tokens max_completion_tokens"),
    textField: "prompt",
    countTexts: (prompt) => (typeof prompt === "string" ? 1 : -1),
  },
};

/** A text, a token, or a list of tokens. A token takes at least two bytes of the body, so its bytes bound it. */
function isText(prompt: unknown): boolean {
  return (
    typeof prompt === "string" ||
    typeof prompt === "number" ||
    (Array.isArray(prompt) && prompt.every((token) => typeof token === "number"))
  );
}

/** Counts the prompts of a request. Each has its own completions. */
function countPrompts({ prompt }: JsonObject): number {
  return Math.max(1, readItems(prompt).filter((one) => typeof one !== "number").length);
}

/** Counts the completions of a prompt, including those that `best_of` drops; NaN if a count is invalid. */
function countChoices({ n, best_of: bestOf }: JsonObject): number {
  return Math.max(1, n == null ? 1 : (readCount(n) ?? NaN), bestOf == null ? 1 : (readCount(bestOf) ?? NaN));
}

import { readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import { readCount } from "../json-fields.ts";
import { DESCRIPTION, SAMPLING, splitNames } from "../known-fields.ts";
import { isPlainContent } from "../plain-content.ts";
import { boundPredictionBytes, readChatParts } from "../prompt-size.ts";
import { CHAT_UNBOUNDED } from "../unbounded-costs.ts";

/** How the cost of a chat completion is bounded. */
export const CHAT_COST: CostRules = {
  output: "text",
  unbounded: CHAT_UNBOUNDED,
  readParts: readChatParts,
  completion: {
    limitFields: ["max_tokens", "max_completion_tokens"],
    toChatFields: (fields) => fields,
    countPromptUses: ({ n }) => readCount(n) ?? 1,
    boundRepeatedBytes: boundPredictionBytes,
  },
  plain: {
    fields: splitNames(SAMPLING, DESCRIPTION, "model models messages max_tokens max_completion_tokens"),
    textField: "messages",
    countTexts: countPlainMessages,
  },
};

/** Counts messages; returns -1 if one has anything but a role, a name and texts. */
function countPlainMessages(value: unknown): number {
  const messages = readItems(value);
  for (let index = 0; index < messages.length; index++) {
    const message = readFields(messages[index]);
    for (const name in message) {
      if (name === "role") {
        // The result of a tool can be JSON that a provider prints again.
        if (message[name] === "tool" || message[name] === "function") return -1;
      } else if (name === "content") {
        if (!isPlainContent(message[name], "text")) return -1;
      } else if (name !== "name") return -1;
    }
  }
  return messages.length;
}

import { readFields } from "../json-values.ts";

/** Whether a content is a string, or a list of parts that have only this type and a text. */
export function isPlainContent(content: unknown, type: string): boolean {
  if (typeof content === "string") return true;
  if (!Array.isArray(content)) return false;
  for (let index = 0; index < content.length; index++) {
    const part = readFields(content[index]);
    if (part["type"] !== type || typeof part["text"] !== "string") return false;
    for (const name in part) if (name !== "type" && name !== "text") return false;
  }
  return true;
}

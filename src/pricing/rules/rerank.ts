import { type JsonObject, readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import { DESCRIPTION, PROVIDER, ROUTING, splitNames } from "../known-fields.ts";
import { NO_PARTS } from "../prompt-size.ts";

/** Cohere bills one search unit for a query with up to this many documents. */
const DOCUMENTS_PER_UNIT = 100;
/** Cohere splits a document that has more tokens than this together with the query, and counts each part as a document. */
const DOCUMENT_TOKENS = 500;
/** Assumed minimum tokens of a part. Cohere shortens long queries, but does not say how many tokens remain for a part. */
const PART_TOKENS_MIN = 128;

/**
 * How the cost of a rerank request is bounded. Providers bill search units, or tokens. Voyage AI bills the tokens of the query
 * once for each document.
 */
export const RERANK_COST: CostRules = {
  output: "rerank",
  unbounded: {
    known: {
      topLevel: splitNames(
        DESCRIPTION,
        ROUTING,
        "query documents top_n return_documents max_tokens_per_doc max_chunks_per_doc",
      ),
      objects: { provider: PROVIDER },
      items: {},
    },
    hasMedia: ({ documents }) => readItems(documents).some(isMedia),
    hasServerTools: () => false,
  },
  readParts: (fields) => {
    const documents = readItems(fields["documents"]).length;
    return {
      ...NO_PARTS,
      messages: documents + 1,
      repeatedBytes: boundTokens(fields["query"]) * Math.max(0, documents - 1),
    };
  },
  completion: undefined,
  countRequests: countSearchUnits,
  plain: undefined,
};

function isMedia(document: unknown): boolean {
  if (typeof document === "string") return false;
  return Object.keys(readFields(document)).some((name) => name !== "text");
}

function countSearchUnits({ query, documents }: JsonObject): number {
  const partTokens = Math.max(PART_TOKENS_MIN, DOCUMENT_TOKENS - boundTokens(query));
  const parts = readItems(documents).reduce<number>((sum, document) => {
    const tokens = boundTokens(typeof document === "string" ? document : readFields(document)["text"]);
    return sum + Math.max(1, Math.ceil(tokens / partTokens));
  }, 0);
  return Math.max(1, Math.ceil(parts / DOCUMENTS_PER_UNIT));
}

/** Returns the bytes of a text, before or after Unicode normalization: a token has at least one. */
function boundTokens(text: unknown): number {
  if (typeof text !== "string") return 0;
  const bytes = Buffer.byteLength(text);
  return bytes === text.length ? bytes : Math.max(bytes, Buffer.byteLength(text.normalize("NFKC")));
}

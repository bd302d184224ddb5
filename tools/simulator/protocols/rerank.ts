// POST /rerank: orders documents by their relevance for a query.
import { computeCosts, countTokens, stateCost } from "../billing.ts";
import type { Answer, Endpoint } from "../endpoint.ts";
import { formatError } from "../errors.ts";
import { type Fields, type ReceivedRequest, readRequest, toFields, toList } from "../request.ts";

interface RankedDocument {
  readonly text?: string;
  readonly image?: string;
}

function readDocument(document: unknown): RankedDocument {
  if (typeof document === "string") return { text: document };
  const { text, image } = toFields(document);
  return { ...(typeof text === "string" && { text }), ...(typeof image === "string" && { image }) };
}

const DOCUMENTS_PER_SEARCH_UNIT = 100;

function read(body: Fields): ReceivedRequest {
  const { query } = body;
  const documents = toList(body["documents"]).map(readDocument);
  const isComplete = typeof query === "string" && documents.length > 0;
  const chars = documents.reduce((sum, { text = "" }) => sum + text.length, String(query).length);
  return {
    ...readRequest(body, isComplete ? undefined : 'Input required: specify "query" and "documents"', []),
    streamed: false,
    promptTokens: countTokens(chars),
    searchUnits: Math.ceil(documents.length / DOCUMENTS_PER_SEARCH_UNIT),
  };
}

function listWords(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/\p{L}+/gu));
}

/** The share of the query's words that a document has. */
function scoreRelevance(query: ReadonlySet<string>, { text = "" }: RankedDocument): number {
  return listWords(text).intersection(query).size / Math.max(query.size, 1);
}

function buildDocument({ generation, body }: Answer): string {
  const { id, model, promptTokens, searchUnits } = generation;
  const query = listWords(String(body["query"]));
  const results = toList(body["documents"])
    .map(readDocument)
    .map((document, index) => ({ index, relevance_score: scoreRelevance(query, document), document }))
    .toSorted((a, b) => b.relevance_score - a.relevance_score);
  const { top_n: most } = body;
  return JSON.stringify({
    model: model.providerSlug,
    results: typeof most === "number" ? results.slice(0, Math.max(most, 1)) : results,
    usage: {
      total_tokens: promptTokens,
      ...(model.searchNanodollars > 0 && { search_units: searchUnits }),
      cost: stateCost(generation, computeCosts(generation, 0)).cost,
    },
    provider: model.provider,
    id,
  });
}

/** The endpoint that ranks documents. */
export const rerank: Endpoint = {
  path: "/rerank",
  apiType: "rerank",
  idPrefix: "gen-rerank",
  formatError,
  describeUnknownModel: (model) => `Model ${model} does not exist`,
  read,
  buildDocument,
  stream: undefined,
};

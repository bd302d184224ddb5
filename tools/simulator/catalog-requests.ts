// The GET requests about models and providers.
import { formatModel, formatModelCount, formatModelList } from "./catalog.ts";
import { formatEndpoints, formatProviders, formatZeroRetention } from "./model-endpoints.ts";

interface CatalogEntry {
  /** whether OpenRouter needs no key for it */
  readonly isPublic: boolean;
  /** Returns the body; undefined if there is no such model. */
  format(query: URLSearchParams): string | undefined;
}

function listEmbeddings(query: URLSearchParams): string {
  return formatModelList(new URLSearchParams([...query, ["output_modalities", "embeddings"]]));
}

const FIXED: Readonly<Record<string, CatalogEntry>> = {
  "/models": { isPublic: true, format: formatModelList },
  "/models/count": { isPublic: true, format: formatModelCount },
  "/models/user": { isPublic: false, format: formatModelList },
  "/embeddings/models": { isPublic: true, format: listEmbeddings },
  "/providers": { isPublic: true, format: formatProviders },
  "/endpoints/zdr": { isPublic: true, format: formatZeroRetention },
};

const ENDPOINTS_PATH = /^\/models\/([^/]+\/[^/]+)\/endpoints$/;
const MODEL_PATH = /^\/model\/([^/]+\/[^/]+)$/;

/** Finds what responds to a GET of a path after /api/v1; undefined if it is not about models or providers. */
export function findCatalog(path: string): CatalogEntry | undefined {
  if (Object.hasOwn(FIXED, path)) return FIXED[path];
  const listed = ENDPOINTS_PATH.exec(path)?.[1];
  if (listed !== undefined)
    return { isPublic: true, format: () => formatEndpoints(decodeURIComponent(listed)) };
  const model = MODEL_PATH.exec(path)?.[1];
  if (model !== undefined) return { isPublic: true, format: () => formatModel(decodeURIComponent(model)) };
  return undefined;
}

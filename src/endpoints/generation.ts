import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { getCallerId } from "../limits/caller-id.ts";
import { type GenerationOfKey, hasGeneration } from "../metering/sql/generation-owner.ts";
import type { Database } from "../store/database.ts";
import type { LimitedFetch } from "../upstream/limited-fetch.ts";
import { getErrorFormat, READ_BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { readModelQuery } from "./model-query.ts";
import { sendBuffered } from "./send-buffered.ts";

export const GENERATION_PATH = "generation";

const MAX_BYTES = 1_048_576;
/** Ids that the ledger can contain. */
const GENERATION_ID = /^[\x21-\x7e]{1,128}$/;
const PARAMETERS = { filters: ["id"], hasPages: false };

export interface GenerationOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly fetch: LimitedFetch;
  /** The database with the ledger; undefined without a ledger. */
  readonly database: Database | undefined;
  /** Whether requests have the account's key. If not, OpenRouter itself knows which generations the client's key made. */
  readonly usesOperatorKey: boolean;
}

/** Registers `GET /generation?id=` below every base path: OpenRouter's record of a generation that the client's key made. */
export function registerGeneration(app: FastifyInstance, options: GenerationOptions): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { caller } = request;
    const { filter } = readModelQuery(request.url, PARAMETERS);
    const id = new URLSearchParams(filter).get("id");
    if (id === null)
      throw new GatewayError(
        "missing_required_parameter",
        "The query parameter id is missing; set it to the id of a generation.",
        { param: "id" },
      );
    // Reads the address before the first await, because a connection that has been reset has none.
    const callerId = getCallerId(request);
    if (options.usesOperatorKey) await requireOwner(options.database, caller.key?.id, id);
    const response = await options.fetch.get({
      path: `/${GENERATION_PATH}?${filter}`,
      authorization: caller.authorization,
      callerId,
      maxBytes: MAX_BYTES,
    });
    return sendBuffered(request, reply, response, options.usesOperatorKey);
  };
  for (const basePath of READ_BASE_PATHS) {
    const url = `${basePath}/${GENERATION_PATH}`;
    const errorFormat = getErrorFormat(basePath);
    rejectOtherMethods(app, url, ["GET"], errorFormat);
    app.get(url, { config: { errorFormat }, onRequest: options.accessHooks }, handler);
  }
}

/** @throws GatewayError 404 unless the ledger shows that the key made the generation; 503 if the ledger cannot be read. */
async function requireOwner(
  database: Database | undefined,
  keyId: string | undefined,
  generationId: string,
): Promise<void> {
  if (keyId === undefined)
    throw createNotFoundError(
      "Generations are shown only to the key that made them, and the request has no key.",
    );
  if (!database)
    throw createNotFoundError("This gateway has no ledger, so it does not know which key made a generation.");
  if (!GENERATION_ID.test(generationId) || !(await isOwner(database, { generationId, keyId })))
    throw createNotFoundError(
      "This key made no generation with this id; the ledger knows a generation soon after its request has ended.",
    );
}

async function isOwner(database: Database, generation: GenerationOfKey): Promise<boolean> {
  try {
    return await hasGeneration(database, generation);
  } catch (cause) {
    throw new GatewayError("store_unavailable", "The ledger is unavailable; try again shortly.", { cause });
  }
}

function createNotFoundError(message: string): GatewayError {
  return new GatewayError("generation_not_found", message, { param: "id" });
}

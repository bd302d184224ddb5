import { GatewayError } from "../errors.ts";
import { toUpstream } from "../http/headers.ts";
import { forwardedModelId } from "../openai/model-id.ts";
import type { UpstreamHead } from "./call.ts";
import type { Upstream } from "./openrouter.ts";

/** How old the list may be before it is fetched again, and how soon after a failure it is tried again. */
const MAX_AGE_MS = 300_000;
const RETRY_AFTER_MS = 10_000;
const MAX_BYTES = 33_554_432;

/** A model as OpenRouter lists it, with the two fields that OpenAI's has besides. */
export type Model = Readonly<Record<string, unknown>> & { readonly id: string };

/** Upstream's list of models at one time. */
export interface ModelList {
  /** JSON in OpenAI's shape plus OpenRouter's fields. */
  readonly json: Buffer;
  readonly byId: ReadonlyMap<string, Model>;
  /** When upstream said so, in ms since 1970. */
  readonly fetchedAt: number;
}

/**
 * Upstream's list of models, fetched when it is first asked for and again when it is old. Requests that come together
 * share one fetch, and while upstream fails the list of before is served.
 */
export class ModelCatalog {
  readonly #upstream: Upstream;
  readonly #authorization: string | undefined;
  readonly #now: () => number;
  #list: ModelList | undefined = undefined;
  #freshUntil = 0;
  #fetching: Promise<ModelList> | undefined = undefined;

  /**
   * @param authorization sent upstream; the list is public and needs none.
   * @param now a clock in ms that never goes back.
   */
  constructor(
    upstream: Upstream,
    authorization: string | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#upstream = upstream;
    this.#authorization = authorization;
    this.#now = now;
  }

  /** @throws GatewayError when upstream fails and there is no list of before. */
  async list(): Promise<ModelList> {
    if (this.#list && this.#now() < this.#freshUntil) return this.#list;
    this.#fetching ??= this.#refresh().finally(() => {
      this.#fetching = undefined;
    });
    // An old list now is better than a new one later.
    if (!this.#list) return this.#fetching;
    this.#fetching.catch(() => {});
    return this.#list;
  }

  /** @param id with or without the optional prefix. */
  async find(id: string): Promise<Model | undefined> {
    const { byId } = await this.list();
    return byId.get(id) ?? byId.get(forwardedModelId(id));
  }

  async #refresh(): Promise<ModelList> {
    try {
      this.#list = toList(await this.#fetch());
      this.#freshUntil = this.#now() + MAX_AGE_MS;
      return this.#list;
    } catch (error) {
      this.#freshUntil = this.#now() + RETRY_AFTER_MS;
      throw error;
    }
  }

  #fetch(): Promise<Buffer> {
    const headers = toUpstream(
      {},
      { authorization: this.#authorization, referer: undefined, title: undefined },
    );
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const fail = (error: GatewayError): void => {
        call.abort();
        reject(error);
      };
      const call = this.#upstream.send(
        { method: "GET", path: "/models", headers },
        {
          onHead: ({ status }: UpstreamHead) => {
            if (status !== 200)
              fail(
                new GatewayError(
                  "upstream_error",
                  `OpenRouter answered the list of models with status ${status}.`,
                ),
              );
          },
          onData: (chunk) => {
            chunks.push(chunk);
            bytes += chunk.length;
            if (bytes > MAX_BYTES)
              fail(new GatewayError("upstream_error", "OpenRouter's list of models is too long."));
          },
          onEnd: () => resolve(Buffer.concat(chunks)),
          onFailure: reject,
          onRetry: () => {},
        },
      );
    });
  }
}

function toList(body: Buffer): ModelList {
  try {
    const answer = JSON.parse(body.toString()) as { data: Model[] };
    const data = answer.data.map((model) => ({
      ...model,
      object: "model",
      owned_by: model.id.split("/", 1)[0] ?? "",
    }));
    return {
      json: Buffer.from(JSON.stringify({ object: "list", ...answer, data })),
      byId: new Map(data.map((model) => [model.id, model])),
      fetchedAt: Date.now(),
    };
  } catch (cause) {
    throw new GatewayError("upstream_bad_response", "OpenRouter's list of models could not be understood.", {
      cause,
    });
  }
}

import type { Model } from "../upstream/model-catalog.ts";
import { fieldsOf, itemsOf } from "./json-fields.ts";

/** Something a request may be charged for that its bytes set no limit to. */
export interface Unbounded {
  readonly name: string;
  /** A sentence for the caller. */
  readonly note: string;
}

/** Models that search the web whether they are told to or not. */
const SEARCHES_BY_ITSELF = /^~?perplexity\/|-search-preview|-deep-research/;
/** Service tiers that cost what is listed. */
const LISTED_TIERS: ReadonlySet<unknown> = new Set([undefined, null, "auto", "default", "standard"]);

/** What of a request has no upper bound, whatever the model. */
export function unboundedParts(request: Readonly<Record<string, unknown>>): Unbounded[] {
  const found: Unbounded[] = [];
  const messages = itemsOf(request["messages"]).map(fieldsOf);
  const parts = messages.flatMap(({ content }) => itemsOf(content));
  // Of an answer that is sent back, images and audio stand beside the content.
  const beside = messages.some(({ images, audio }) => itemsOf(images).length > 0 || audio != null);
  if (beside || parts.some((part) => fieldsOf(part)["type"] !== "text"))
    found.push({
      name: "media",
      note: "Message parts other than text (images, audio, video, files) have no bounded cost before the call.",
    });
  if (itemsOf(request["plugins"]).length > 0)
    found.push({ name: "plugins", note: "Plugins have no bounded cost before the call." });
  if (
    namedModels(request).some((id) => /:online(?:[:@]|$)/.test(id)) ||
    request["web_search_options"] != null
  )
    found.push(WEB_SEARCH);
  if (itemsOf(request["tools"]).some((tool) => (fieldsOf(tool)["type"] ?? "function") !== "function"))
    found.push({
      name: "server_tools",
      note: "Tools that upstream runs itself have no bounded cost before the call.",
    });
  if (itemsOf(request["modalities"]).some(isMedia)) found.push(MEDIA_OUTPUT);
  if (request["preset"] != null)
    found.push({
      name: "preset",
      note: "A preset can add text, tools and settings that are not known here.",
    });
  return found;
}

const isMedia = (modality: unknown): boolean => modality !== "text";

const MEDIA_OUTPUT: Unbounded = {
  name: "media_output",
  note: "An answer of more than text (images, audio) has no bounded cost before the call.",
};

const WEB_SEARCH: Unbounded = {
  name: "web_search",
  note: "A web search has no bounded cost before the call: its results become part of the prompt.",
};

/** What has no upper bound with this model, whatever the request. */
export function unboundedOfModel(model: Model): Unbounded[] {
  const found: Unbounded[] = [];
  if (SEARCHES_BY_ITSELF.test(model.id)) found.push(WEB_SEARCH);
  if (itemsOf(fieldsOf(model["architecture"])["output_modalities"]).some(isMedia)) found.push(MEDIA_OUTPUT);
  return found;
}

/** Whether the listed prices are not those that the request will be charged. */
export function hasOtherTier(request: Readonly<Record<string, unknown>>): boolean {
  return !LISTED_TIERS.has(request["service_tier"]);
}

function namedModels(request: Readonly<Record<string, unknown>>): string[] {
  return [request["model"], ...itemsOf(request["models"])].filter((id) => typeof id === "string");
}

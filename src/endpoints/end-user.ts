import type { IncomingHttpHeaders } from "node:http";
import { toColumnText } from "../bounded-text.ts";
import { type JsonObject, readFields } from "../json-values.ts";
import type { EndUserSettings } from "../limits/limit-settings.ts";
import type { RelayedEndpoint } from "./relayed-endpoints.ts";

const HEADER_PREFIX = "header:";

/** The parts of a request that can name an end user. */
export interface EndUserRequest {
  readonly headers: IncomingHttpHeaders;
  readonly fields: JsonObject;
  readonly endpoint: Pick<RelayedEndpoint, "hasMetadataUserId">;
}

/**
 * Returns the name of a request's end user, from the source that the settings of the key name. A client can send any text, so
 * the name must never decide about access.
 * @returns at most 128 characters; undefined if the source is absent, empty or not a text.
 */
export function readEndUser({ source }: EndUserSettings, request: EndUserRequest): string | undefined {
  const name = source.startsWith(HEADER_PREFIX)
    ? request.headers[source.slice(HEADER_PREFIX.length)]
    : readField(request);
  return typeof name === "string" ? toColumnText(name) || undefined : undefined;
}

function readField({ fields, endpoint }: EndUserRequest): unknown {
  return endpoint.hasMetadataUserId ? readFields(fields["metadata"])["user_id"] : fields["user"];
}

// The parts of an endpoint that sends requests to models. `endpoints.ts` lists all endpoints; nothing else depends on their
// number.
import type { Plan } from "./behaviour.ts";
import type { ApiType, Generation } from "./billing.ts";
import type { Reply } from "./content.ts";
import type { ErrorFormat } from "./errors.ts";
import type { Piece } from "./pieces.ts";
import type { Fields, ReceivedRequest } from "./request.ts";

/** A request with everything that its response states. */
export interface Answer {
  readonly generation: Generation;
  readonly reply: Reply;
  readonly request: ReceivedRequest;
  /** the request's body */
  readonly body: Fields;
  readonly plan: Plan;
}

/** The streams of an endpoint. */
export interface StreamFormat {
  /** sent before the first data and between data */
  readonly comment: string;
  /** The data of a whole stream, without comments. */
  buildEvents(answer: Answer): Piece[];
  /** The events that end a stream which fails after the pieces in `sent`. */
  buildFailure(answer: Answer, sent: readonly Piece[], status: number): Piece[];
}

/** One POST endpoint. */
export interface Endpoint {
  /** after /api/v1 */
  readonly path: string;
  readonly apiType: ApiType;
  /** how the ids of its generations begin */
  readonly idPrefix: string;
  readonly formatError: ErrorFormat;
  /** The message of the 400 for a model that it does not have. */
  describeUnknownModel(model: string): string;
  read(body: Fields): ReceivedRequest;
  /** The body of an unstreamed response. */
  buildDocument(answer: Answer): string;
  /** undefined if the endpoint never streams; such an endpoint generates no text */
  readonly stream: StreamFormat | undefined;
}

/** The message about an unknown model, for endpoints that generate text. */
export function describeInvalidModel(model: string): string {
  return `${model} is not a valid model ID`;
}

/** Unix time of a generation's start, in seconds. */
export function getCreated({ startedAtMs }: Generation): number {
  return Math.floor(startedAtMs / 1000);
}

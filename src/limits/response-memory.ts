import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";
import { getCallerId } from "./caller-id.ts";

/** Limit for all callers together: an eighth of 1 GiB. */
const MAX_BYTES = 134_217_728;
/** A response that alone exceeds this limit is still sent if the caller holds no other response. */
const MAX_BYTES_PER_CALLER = MAX_BYTES / 4;
/** Responses up to this size are not counted, so that health checks and errors are always sent. */
const SHORT_BYTES = 4_096;

/**
 * Limits the total size of the gateway's own responses, such as lists of models and admin reports, that clients have not
 * read yet. A response that exceeds the limit is replaced by 503 `overloaded`. A Buffer that several responses share counts
 * once. Streams and relayed responses are not counted, because back pressure limits them.
 */
export function limitResponseMemory(app: FastifyInstance): void {
  const heldPayloads = new HeldPayloads();
  app.addHook("onSend", (request, reply, payload, done) => {
    const isWhole = typeof payload === "string" || Buffer.isBuffer(payload);
    // A response that has ended emits no further "close" event, so its bytes would never be released.
    if (!isWhole || payload.length <= SHORT_BYTES || request.context.hasEnded) {
      done();
      return;
    }
    // A string has no identity, so equal strings count separately.
    const identity = typeof payload === "string" ? {} : payload;
    if (!heldPayloads.add(identity, getCallerId(request), payload.length)) {
      done(createRefusal());
      return;
    }
    reply.raw.once("close", () => heldPayloads.remove(identity));
    done();
  });
}

interface HeldPayload {
  /** The caller whose response was the first to hold the payload. Its bytes count for this caller only. */
  readonly callerId: string;
  readonly bytes: number;
  responses: number;
}

class HeldPayloads {
  #bytes = 0;
  readonly #bytesByCaller = new Map<string, number>();
  readonly #payloads = new Map<object, HeldPayload>();

  /** Adds a response. @returns false, without adding it, if a limit would be exceeded. */
  add(identity: object, callerId: string, bytes: number): boolean {
    const shared = this.#payloads.get(identity);
    if (shared) {
      shared.responses++;
      return true;
    }
    const callerBytes = this.#bytesByCaller.get(callerId) ?? 0;
    const exceedsCallerLimit = callerBytes > 0 && callerBytes + bytes > MAX_BYTES_PER_CALLER;
    if (exceedsCallerLimit || this.#bytes + bytes > MAX_BYTES) return false;
    this.#bytes += bytes;
    this.#bytesByCaller.set(callerId, callerBytes + bytes);
    this.#payloads.set(identity, { callerId, bytes, responses: 1 });
    return true;
  }

  /** Removes one response that holds the payload. */
  remove(identity: object): void {
    const payload = this.#payloads.get(identity);
    if (!payload || --payload.responses > 0) return;
    const { callerId, bytes } = payload;
    this.#payloads.delete(identity);
    this.#bytes -= bytes;
    const callerBytes = (this.#bytesByCaller.get(callerId) ?? 0) - bytes;
    if (callerBytes > 0) this.#bytesByCaller.set(callerId, callerBytes);
    else this.#bytesByCaller.delete(callerId);
  }
}

function createRefusal(): GatewayError {
  return new GatewayError(
    "overloaded",
    "Too many responses of this gateway are still unread; read yours to the end and try again.",
  );
}

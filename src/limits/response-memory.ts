import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";
import { getCallerId } from "./caller-id.ts";

/** An eighth of 1 GiB. */
const MAX_BYTES = 134_217_728;
/** A longer response is sent to a caller that holds none. */
const MAX_BYTES_PER_CALLER = MAX_BYTES / 4;
/** Shorter responses are not counted: health checks and errors are sent whatever else is held. */
const SHORT_BYTES = 4_096;

/**
 * Bounds the bytes of the gateway's own responses, such as lists of models and admin reports, that wait for clients to read
 * them. A response that exceeds the bound is replaced by 503 `overloaded`. A Buffer that several responses share counts
 * once. Streams and relayed responses are not counted, because they are read no faster than their clients read.
 */
export function limitResponseMemory(app: FastifyInstance): void {
  const held = new HeldPayloads();
  app.addHook("onSend", (request, reply, payload, done) => {
    const isWhole = typeof payload === "string" || Buffer.isBuffer(payload);
    // Of a response that has ended already, the end would not be reported again.
    if (!isWhole || payload.length <= SHORT_BYTES || request.context.hasEnded) {
      done();
      return;
    }
    // Equal strings are not shared.
    const identity = typeof payload === "string" ? {} : payload;
    if (!held.add(identity, getCallerId(request), payload.length)) {
      done(createRefusal());
      return;
    }
    reply.raw.once("close", () => held.remove(identity));
    done();
  });
}

interface HeldPayload {
  /** Whose response held it first. */
  readonly callerId: string;
  readonly bytes: number;
  responses: number;
}

class HeldPayloads {
  #bytes = 0;
  readonly #bytesByCaller = new Map<string, number>();
  readonly #payloads = new Map<object, HeldPayload>();

  /** @returns false if a bound would be exceeded; then nothing is added. */
  add(identity: object, callerId: string, bytes: number): boolean {
    const shared = this.#payloads.get(identity);
    if (shared) {
      shared.responses++;
      return true;
    }
    const ofCaller = this.#bytesByCaller.get(callerId) ?? 0;
    const exceedsOwn = ofCaller > 0 && ofCaller + bytes > MAX_BYTES_PER_CALLER;
    if (exceedsOwn || this.#bytes + bytes > MAX_BYTES) return false;
    this.#bytes += bytes;
    this.#bytesByCaller.set(callerId, ofCaller + bytes);
    this.#payloads.set(identity, { callerId, bytes, responses: 1 });
    return true;
  }

  /** Ends one response that holds the payload. */
  remove(identity: object): void {
    const payload = this.#payloads.get(identity);
    if (!payload || --payload.responses > 0) return;
    const { callerId, bytes } = payload;
    this.#payloads.delete(identity);
    this.#bytes -= bytes;
    const ofCaller = (this.#bytesByCaller.get(callerId) ?? 0) - bytes;
    if (ofCaller > 0) this.#bytesByCaller.set(callerId, ofCaller);
    else this.#bytesByCaller.delete(callerId);
  }
}

function createRefusal(): GatewayError {
  return new GatewayError(
    "overloaded",
    "Too many responses wait for their clients to read them; read yours to the end and try again.",
  );
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { GatewayError } from "../errors.ts";
import { sendError } from "./send-error.ts";
import { createMediaTypeError } from "./raw-json.ts";

/** Sends every error that a hook or a handler throws as an error in the format of its endpoint. */
export function handleErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => sendAnyError(error, request, reply, logger));
}

/** Sends any error in the format of the endpoint, and logs it if it is internal. */
export function sendAnyError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): void {
  const gatewayError = toGatewayError(error, request);
  if (gatewayError.code === "internal_error")
    logger.error({ err: error, request_id: request.id }, "http: internal error");
  sendError(request, reply, gatewayError);
}

function toGatewayError(error: unknown, request: FastifyRequest): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new GatewayError("request_too_large");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return createMediaTypeError(request.headers["content-type"] ?? "");
    case "FST_ERR_BAD_URL":
      return new GatewayError(
        "bad_request",
        "The URL of the request is not valid; check its percent-encoding.",
      );
    default:
  }
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new GatewayError("bad_request", { cause: error });
  }
  return new GatewayError("internal_error", { cause: error });
}

import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";
import { type ErrorFormat, OPENAI_ERRORS } from "../http/error-format.ts";

/**
 * Registers a route that responds with 405 and an `Allow` header to all other methods of a URL. Methods that Fastify does not
 * know still get 404. A request to upgrade to a WebSocket gets 426, after which Codex sends its request by HTTP at once.
 */
export function rejectOtherMethods(
  app: FastifyInstance,
  url: string,
  methods: readonly string[],
  errorFormat: ErrorFormat = OPENAI_ERRORS,
): void {
  const others = app.supportedMethods.filter((method) => !methods.includes(method));
  app.route({
    method: others,
    url,
    config: { errorFormat },
    onRequest: (request, _reply, done) => {
      const allow = methods.join(", ");
      done(
        request.headers.upgrade === undefined
          ? new GatewayError(
              "method_not_allowed",
              `This URL does not support this method; use ${allow.replaceAll(", ", " or ")}.`,
              { headers: { allow } },
            )
          : new GatewayError("upgrade_not_supported"),
      );
    },
    handler: () => undefined,
  });
}

import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/**
 * Registers a route that responds with 405 and an `Allow` header to all other methods of a URL. Methods that Fastify does not
 * know still get 404.
 */
export function rejectOtherMethods(app: FastifyInstance, url: string, methods: readonly string[]): void {
  const others = app.supportedMethods.filter((method) => !methods.includes(method));
  app.route({
    method: others,
    url,
    onRequest: (_request, _reply, done) => {
      const allow = methods.join(", ");
      done(
        new GatewayError(
          "method_not_allowed",
          `This URL does not support this method; use ${allow.replaceAll(", ", " or ")}.`,
          { headers: { allow } },
        ),
      );
    },
    handler: () => undefined,
  });
}

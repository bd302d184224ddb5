import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";

/** Answers every other method of a URL with 405 and says which there are. Unknown methods stay 404. */
export function rejectOtherMethods(app: FastifyInstance, url: string, methods: readonly string[]): void {
  const others = app.supportedMethods.filter((method) => !methods.includes(method));
  app.route({
    method: others,
    url,
    onRequest: (_request, _reply, done) => {
      const allow = methods.join(", ");
      done(new GatewayError("method_not_allowed", `This URL takes ${allow}.`, { headers: { allow } }));
    },
    handler: () => undefined,
  });
}

import type {
  FastifyBaseLogger,
  FastifyInstance,
  onRequestAsyncHookHandler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { GatewayError } from "../errors.ts";
import { requireJson } from "../http/raw-json.ts";
import type { KeyService } from "../keys/key-service.ts";
import { allowOnly } from "../routes/allow-only.ts";
import type { Database } from "../store/database.ts";
import { keyRoutes } from "./key-routes.ts";
import { requestRoutes } from "./request-routes.ts";
import { usageRoutes } from "./usage-routes.ts";

const PREFIX = "/admin/v1";
const BODY_LIMIT_BYTES = 65_536;

/** Where routes of the admin API are registered. */
export type AdminScope = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface AdminOptions {
  /** Lets in who has an admin key. */
  readonly admit: onRequestAsyncHookHandler[];
  readonly keys: KeyService;
  readonly database: Database;
}

/** Methods by URL, for what is answered to others. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  "/keys": ["GET", "POST"],
  "/keys/:key": ["GET", "PATCH", "DELETE"],
  "/keys/:key/rotate": ["POST"],
  "/audit": ["GET"],
  "/usage": ["GET"],
  "/requests": ["GET"],
};

/** The admin API: keys, usage and the ledger, for who has an admin key. What it takes is checked and described by zod. */
export async function adminApi(app: FastifyInstance, { admit, keys, database }: AdminOptions): Promise<void> {
  for (const [url, methods] of Object.entries(METHODS)) allowOnly(app, PREFIX + url, methods);
  await app.register(
    (plugin, _options, done) => {
      const scope = plugin.withTypeProvider<ZodTypeProvider>();
      scope.setValidatorCompiler(validatorCompiler);
      scope.setSerializerCompiler(serializerCompiler);
      takeJson(scope);
      for (const hook of admit) scope.addHook("onRequest", hook);
      scope.addHook("onRequest", (request, reply, next) => {
        const { "content-length": length, "transfer-encoding": encoding } = request.headers;
        if ((length === undefined || length === "0") && encoding === undefined) next();
        else requireJson.call(plugin, request, reply, next);
      });
      keyRoutes(scope, keys);
      usageRoutes(scope, keys, database);
      requestRoutes(scope, keys, database);
      done();
    },
    { prefix: PREFIX },
  );
}

/** Here bodies are small, and read for what they say. */
function takeJson(scope: AdminScope): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    "application/json",
    { parseAs: "string", bodyLimit: BODY_LIMIT_BYTES },
    (request, body, done) => {
      request.exchange.works();
      request.exchange.bytesIn = body.length;
      try {
        // Who sends nothing may still say that it is JSON.
        done(null, body === "" ? undefined : JSON.parse(body as string));
      } catch (cause) {
        done(new GatewayError("invalid_json", "The body is not valid JSON.", { cause }));
      }
    },
  );
  scope.setErrorHandler((error) => {
    throw hasZodFastifySchemaValidationErrors(error) ? toGatewayError(error.validation[0]) : error;
  });
}

interface Issue {
  readonly instancePath: string;
  readonly message?: string;
}

/** The first fault, with the name of its field. */
function toGatewayError(issue: Issue | undefined): GatewayError {
  const message = issue?.message ?? "is not valid";
  const path = (issue?.instancePath ?? "").split("/").filter(Boolean);
  const unknown = /^Unrecognized keys?: "([^"]*)"/.exec(message)?.[1];
  if (unknown !== undefined) path.push(unknown);
  const param = path.join(".");
  const what = unknown === undefined ? message : "is no field of this; leave it out";
  return new GatewayError("invalid_value", `${param === "" ? "The request" : `"${param}"`} ${what}`, {
    param: param === "" ? undefined : param,
  });
}

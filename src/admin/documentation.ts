import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { GatewayError } from "../errors.ts";
import { rejectOtherMethods } from "../endpoints/method-not-allowed.ts";
import { addExamples } from "./api-examples.ts";
import { API_PATHS } from "./api-paths.ts";
import { createPageFileHook } from "./page-files.ts";

type OpenApiPaths = NonNullable<NonNullable<StaticDocument["openapi"]>["paths"]>;
type StaticDocument = Extract<Parameters<typeof swagger>[1], { openapi?: unknown }>;

/** The page loads all its files from the gateway, and contains inline styles. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";
/** The files that the page of the plugin loads. */
const PAGE_FILES = new URL("static/", import.meta.resolve("@fastify/swagger-ui"));
const DESCRIPTION =
  "A gateway that relays OpenRouter's responses unchanged. Requests to /openai/v1 and /anthropic/v1 require a key with the role caller; requests to /admin/v1 require a key with the role admin.";

/**
 * Serves the OpenAPI description at `GET /openapi.json` and a page for it at `/docs`. The description contains the routes
 * that have a schema and are registered after this plugin. Neither URL requires a key, because neither contains a secret.
 */
export async function documentationPlugin(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Sluice", description: DESCRIPTION, version: "1" },
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      security: [{ key: [] }],
      paths: API_PATHS as unknown as OpenApiPaths,
    },
    // API_PATHS describes the routes without a schema.
    hideUntagged: true,
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      // The plugin marks every body as required.
      const rotation = document.openapiObject.paths?.[`/admin/v1/keys/{key}/rotate`]?.post?.requestBody;
      if (rotation && "required" in rotation) rotation.required = false;
      addExamples(document.openapiObject.paths ?? {});
      return document.openapiObject;
    },
  });
  rejectOtherMethods(app, "/openapi.json", ["GET", "HEAD"]);
  rejectOtherMethods(app, "/docs", ["GET"]);
  app.route({ method: ["GET", "HEAD"], url: "/openapi.json", handler: () => app.swagger() });
  await app.register(async (scope) => {
    scope.addHook("onRequest", createPageFileHook(PAGE_FILES));
    await scope.register(swaggerUi, { routePrefix: "/docs", staticCSP: CONTENT_SECURITY_POLICY });
  });
  // Handles missing files of the page; all other unknown URLs are rejected earlier.
  app.setNotFoundHandler(() => {
    throw new GatewayError("unknown_url", "The page at /docs has no such file.");
  });
}

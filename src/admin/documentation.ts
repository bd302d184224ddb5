import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { rejectOtherMethods } from "../endpoints/method-not-allowed.ts";
import { addExamples } from "./api-examples.ts";
import { INTRODUCTION } from "./api-introduction.ts";
import { API_PATHS } from "./api-paths.ts";
import { mergeNullable } from "./api-nullable.ts";
import { assignSections, SECTIONS, SECURITY_SCHEMES } from "./api-sections.ts";
import { registerReferencePage } from "./reference-page.ts";

type OpenApiPaths = NonNullable<NonNullable<StaticDocument["openapi"]>["paths"]>;
type StaticDocument = Extract<Parameters<typeof swagger>[1], { openapi?: unknown }>;

/**
 * Serves the OpenAPI description at `GET /openapi.json` and a page for it at `/docs`. The description contains the routes
 * that have a schema and are registered after this plugin. Neither URL requires a key, because neither contains a secret.
 */
export async function documentationPlugin(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Sluice API", description: INTRODUCTION, version: "1" },
      tags: SECTIONS.map(({ name, description }) => ({ name, description })),
      components: { securitySchemes: SECURITY_SCHEMES },
      paths: API_PATHS as unknown as OpenApiPaths,
    },
    // API_PATHS describes the routes without a schema.
    hideUntagged: true,
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      const paths = document.openapiObject.paths ?? {};
      // The plugin marks every body as required.
      const rotation = paths[`/admin/v1/keys/{key}/rotate`]?.post?.requestBody;
      if (rotation && "required" in rotation) rotation.required = false;
      addExamples(paths);
      assignSections(paths);
      mergeNullable(paths);
      return document.openapiObject;
    },
  });
  rejectOtherMethods(app, "/openapi.json", ["GET", "HEAD"]);
  app.route({ method: ["GET", "HEAD"], url: "/openapi.json", handler: () => app.swagger() });
  registerReferencePage(app);
}

// Builds the files that the gateway serves at /dashboard. `npm ci` and the image run this script. It is JavaScript because
// `npm ci --omit=dev` runs it with the Node of the machine, which may be too old for TypeScript.
import { fileURLToPath } from "node:url";

/** Imports Vite. @returns undefined without the dev dependencies, because nothing else needs them in production. */
async function importVite() {
  try {
    return await import("vite");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

const vite = await importVite();
if (vite) {
  await vite.build({
    configFile: fileURLToPath(new URL("vite.config.ts", import.meta.url)),
    logLevel: "warn",
  });
} else {
  process.stderr.write(
    "The dashboard was not built, because the dev dependencies are not installed. The gateway runs without it.\n",
  );
}

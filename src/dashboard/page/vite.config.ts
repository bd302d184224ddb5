import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// The gateway serves the files of `src/dashboard/dist` at /dashboard. `npm ci` builds them.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/dashboard/",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2023",
    // The content security policy of the page allows no `data:` URL except for images.
    assetsInlineLimit: 0,
    // Without this polyfill, which only old browsers need, the page has no inline script.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `vite src/dashboard/page` serves the page while it is being changed, in front of a gateway on the default port.
  server: { proxy: { "/admin": "http://127.0.0.1:8080", "/docs": "http://127.0.0.1:8080" } },
});

// Starts the page at /docs in the browser. The page keeps keys only until it is closed or loaded again.

const { SwaggerUIBundle, document, location, matchMedia } = /** @type {any} */ (globalThis);

const darkMode = matchMedia("(prefers-color-scheme: dark)");
const applyColorScheme = () => document.documentElement.classList.toggle("dark-mode", darkMode.matches);
darkMode.addEventListener("change", applyColorScheme);
applyColorScheme();

// The browser sends the cookie of the dashboard by itself, and no page can set it. A field for its value would have no effect.
const DASHBOARD_SESSION = "Dashboard session";
const withoutSession =
  (/** @type {any} */ original) =>
  (/** @type {any[]} */ ...values) =>
    original(...values)
      .map((/** @type {any} */ schemes) => schemes.delete(DASHBOARD_SESSION))
      .filter((/** @type {any} */ schemes) => schemes.size > 0);

SwaggerUIBundle({
  dom_id: "#reference",
  // Relative, because a reverse proxy may serve the gateway below a prefix.
  url: String(new URL(location.pathname.endsWith("/") ? "../openapi.json" : "./openapi.json", location.href)),
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [
    {
      statePlugins: {
        auth: {
          wrapSelectors: {
            definitionsToAuthorize: withoutSession,
            definitionsForRequirements: withoutSession,
          },
        },
      },
    },
  ],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  // The schemas state meaning and unit of each field. "Try it out" shows the example.
  defaultModelRendering: "model",
  defaultModelExpandDepth: 3,
  persistAuthorization: false,
  // A validator would send the description to another origin.
  validatorUrl: null,
});

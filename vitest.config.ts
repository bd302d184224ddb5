import { defineConfig } from "vitest/config";

// `architecture` reads source and documentation and is part of `npm run check`. `unit` needs nothing but Node and npm and is what `npm test`
// runs. `browser` needs Chromium and the built dashboard. `fidelity` replays recorded exchanges with OpenRouter, `service` needs a real Redis,
// PostgreSQL and its client, sqlite3, Chromium, nginx, HAProxy, Caddy, Prometheus with promtool, and root with iproute2, `simulation` and `limits-simulation` PostgreSQL, `restarts` nginx and HAProxy,
// `soak` Linux, `verify` runs the product's own
// fidelity suite against gateways good and bad, `sdks` needs the SDKs of all languages, `clients` coding agents. CI runs them all.
const project = (name: string, include: string[], exclude: string[] = [], options: object = {}) => ({
  test: {
    name,
    include,
    exclude: [...exclude, "node_modules/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    ...options,
  },
});

/** What `npm test` leaves to the others. */
const SUITES = [
  "test/architecture.test.ts",
  "test/prose.test.ts",
  "test/browser/**",
  "test/fidelity/**",
  "test/service/**",
  "test/simulation/**",
  "test/limits-simulation/**",
  "test/restarts/**",
  "test/soak/**",
  "test/verify/**",
  "test/sdk/matrix/**",
  "test/clients/**",
];

export default defineConfig({
  test: {
    projects: [
      project("architecture", ["test/architecture.test.ts", "test/prose.test.ts"]),
      project("unit", ["test/**/*.test.ts"], SUITES),
      // Chromium uses every core by itself.
      project("browser", ["test/browser/**/*.test.ts"], [], {
        fileParallelism: false,
        testTimeout: 300_000,
        expect: { poll: { timeout: 60_000 } },
      }),
      project("fidelity", ["test/fidelity/**/*.test.ts"]),
      project("service", ["test/service/**/*.test.ts"]),
      project("simulation", ["test/simulation/**/*.test.ts"]),
      project("limits-simulation", ["test/limits-simulation/**/*.test.ts"]),
      project("restarts", ["test/restarts/**/*.test.ts"]),
      project("soak", ["test/soak/**/*.test.ts"]),
      project("verify", ["test/verify/**/*.test.ts"]),
      project("sdks", ["test/sdk/matrix/**/*.test.ts"]),
      project("clients", ["test/clients/**/*.test.ts"]),
    ],
  },
});

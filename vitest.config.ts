import { defineConfig } from "vitest/config";

// Three suites. `unit` needs nothing but Node and npm and is what `npm test` runs; `fidelity` replays recorded
// exchanges with OpenRouter; `service` needs a real Redis. CI runs them all.
const project = (name: string, include: string[], exclude: string[] = []) => ({
  test: { name, include, exclude: [...exclude, "node_modules/**"], testTimeout: 15_000, hookTimeout: 15_000 },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", ["test/**/*.test.ts"], ["test/fidelity/**", "test/service/**"]),
      project("fidelity", ["test/fidelity/**/*.test.ts"]),
      project("service", ["test/service/**/*.test.ts"]),
    ],
  },
});

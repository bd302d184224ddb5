import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

/**
 * Ranks of the components, lowest first. A component is a folder of `src`, a file directly in `src`, or a folder of
 * `tools`. A file may import only from its own component and from lower ranks; this rule includes type imports.
 * Components of one rank do not import each other. A module that needs something from a higher rank declares an
 * interface, and the module of the higher rank implements it.
 */
const RANKS: readonly (readonly string[])[] = [
  [
    "errors",
    "money",
    "printable",
    "json-values",
    "bounded-text",
    "durations",
    "money",
    "key-secret",
    "stop-signals",
    "parent-exit",
    "node-version",
    "single-run",
    "build-info",
    "tools/sdks",
  ],
  ["request", "response", "pricing", "tools/simulator"],
  ["config", "tools/verify"],
  ["http", "store"],
  ["limits"],
  ["auth"],
  ["keys", "budgets", "alerts", "sessions"],
  ["metering"],
  ["upstream"],
  ["relay"],
  ["persistence"],
  ["observability"],
  ["endpoints"],
  ["metrics"],
  ["presentation"],
  ["admin"],
  ["dashboard"],
  ["management"],
  ["app"],
  ["gateway"],
  ["lifecycle", "next-tick-workaround", "health-check"],
  ["main"],
  ["doctor"],
  ["demo", "cli"],
  ["server"],
  ["tools/bench"],
];

/** The only import in `src` of a file in `tools`. */
const DEMO = "src/demo.ts imports tools/simulator/simulator.ts";

/** The components that may import each library. Imports of types alone do not count. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  undici: ["upstream"],
  zod: ["admin", "config", "keys", "presentation"],
  vite: ["dashboard"],
  preact: ["dashboard"],
  uplot: ["dashboard"],
  "wouter-preact": ["dashboard"],
  "@tanstack/preact-query": ["dashboard"],
  "lru-cache": ["auth", "budgets", "http", "limits", "metering", "upstream"],
  commander: ["cli"],
  cookie: ["sessions"],
  ioredis: ["store"],
  kysely: ["alerts", "budgets", "keys", "metering", "store"],
  pg: ["store"],
  "node:sqlite": ["store"],
  pino: ["observability"],
  fastify: ["app"],
  "prom-client": ["metrics"],
  "@fastify/rate-limit": ["limits"],
  "@fastify/cors": ["http"],
  "@fastify/proxy-addr": ["config", "http"],
  "@fastify/swagger": ["admin"],
  // Only the files of its page are served, see src/admin/reference-page.ts.
  "@fastify/swagger-ui": [],
  "fastify-type-provider-zod": ["admin"],
};

/** Former names of modules and folders, all replaced by standard terms. */
const FORMER_NAMES =
  /(^|\/)(books|exchange|caretaker|settler|tolerant-write|own-headers|answer-error|unknown-urls|allow-only|row-fault|inner-models|answered-field|contestants|floor|mock|(ledger|openai|routes)(?=\/))(\.|\/)/;

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

function readFiles(folder: string): SourceFile[] {
  // Excludes the dependencies that `npm run sdks:install` installs, and the files that `npm ci` builds.
  return globSync(`${folder}/**/*.{js,ts,tsx}`, {
    exclude: ["**/node_modules", "**/.venv-*", "src/dashboard/dist"],
  }).map((path) => {
    const text = readFileSync(path, "utf8");
    const imports = [
      ...text.matchAll(/^(?:import|export)\s(type\s)?(?:[^"';]*\sfrom\s)?"([^"]+)"|import\("([^"]+)"\)/gm),
    ].map(([, type, target, dynamic]) => ({ target: target ?? dynamic ?? "", typeOnly: type !== undefined }));
    return { path, text, imports };
  });
}

const gateway = readFiles("src");
const tools = readFiles("tools");
/** Files that follow the gateway's rules for libraries. Benchmarks and SDK probes may use any library. */
const files = [...gateway, ...readFiles("tools/simulator"), ...readFiles("tools/verify")];

/** @returns the folder that a file belongs to, or the file's own name if it is directly in `src`. */
function getComponent(path: string): string {
  const tool = /^tools\/[^/]+/.exec(path)?.[0];
  return tool ?? path.replace(/^src\//, "").replace(/\/.*|\.[jt]s$/, "");
}

function getRank(path: string): number {
  const rank = RANKS.findIndex((components) => components.includes(getComponent(path)));
  if (rank === -1) throw new Error(`${path} has no rank in test/architecture.test.ts`);
  return rank;
}

/** @returns the name of the package or Node module that an import is from. */
function getLibrary(target: string): string {
  return target.split("/", target.startsWith("@") ? 2 : 1).join("/");
}

/** @returns the relative imports of `sources` as pairs of paths. */
function listImports(sources: readonly SourceFile[]): { path: string; target: string; typeOnly: boolean }[] {
  return sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.startsWith("."))
      .map(({ target, typeOnly }) => ({ path, target: join(dirname(path), target), typeOnly })),
  );
}

test("a file imports only from its own component and from lower ranks", () => {
  const wrong = [...listImports(gateway), ...listImports(tools)]
    .filter(
      ({ path, target }) => getComponent(target) !== getComponent(path) && getRank(target) >= getRank(path),
    )
    .map(({ path, target }) => `${path} imports ${target}`);
  expect(wrong).toEqual([]);
});

test("the store imports other components only from the lowest rank, and this rule includes type imports", () => {
  const wrong = listImports(gateway)
    .filter(
      ({ path, target }) =>
        getComponent(path) === "store" && getComponent(target) !== "store" && getRank(target) > 0,
    )
    .map(({ path, target }) => `${path} imports ${target}`);
  expect(wrong).toEqual([]);
});

test("admin and cli do not import each other, and presentation imports nothing from them, not even types", () => {
  const wrong = files
    .filter(({ path }) => ["presentation", "admin", "cli"].includes(getComponent(path)))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => /^\.\.\/(.*\/)?(admin|cli)\//.test(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

test("src/demo.ts imports the simulator, and src has no other import from tools, not even of types", () => {
  const used = listImports(gateway).filter(({ target }) => !target.startsWith("src/"));
  expect(used.map(({ path, target }) => `${path} imports ${target}`)).toEqual([DEMO]);
});

test.each(Object.entries(OWNERS))("%s is imported only by %j", (library, owners) => {
  const users = files.filter(({ imports }) =>
    imports.some(({ target, typeOnly }) => !typeOnly && getLibrary(target) === library),
  );
  expect([...new Set(users.map(({ path }) => getComponent(path)))].toSorted()).toEqual(owners);
});

test("OWNERS lists every imported library", () => {
  const libraries = files.flatMap(({ imports }) =>
    imports.filter(({ target, typeOnly }) => !typeOnly && !/^(\.|node:)/.test(target)),
  );
  const names = new Set(libraries.map(({ target }) => getLibrary(target)));
  expect([...names].filter((name) => !(name in OWNERS))).toEqual([]);
});

test("only src/server.ts reads process.env", () => {
  const readers = files.filter(
    ({ path, text }) => !path.startsWith("tools/simulator/") && /\bprocess\.env\b/.test(text),
  );
  expect(readers.map(({ path }) => path).toSorted()).toEqual(["src/server.ts"]);
});

test("only src/errors.ts builds error bodies", () => {
  const builders = files.filter(
    ({ path, text }) => !path.startsWith("tools/simulator/") && /JSON\.stringify\(\{ error:/.test(text),
  );
  expect(builders.map(({ path }) => path)).toEqual(["src/errors.ts"]);
});

test("no file has a generic name such as utils, helpers or index", () => {
  expect(
    [...gateway, ...tools]
      .filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc|index)[./]/.test(path))
      .map(({ path }) => path),
  ).toEqual([]);
});

test("no file or folder has a former name", () => {
  const tests = readFiles("test").map(({ path }) => path);
  const paths = [...[...gateway, ...tools].map(({ path }) => path), ...tests];
  expect(paths.filter((path) => FORMER_NAMES.test(path))).toEqual([]);
});

test("no two exported classes have the same name", () => {
  const names = [...gateway, ...tools].flatMap(({ text }) =>
    Array.from(text.matchAll(/^export (?:abstract )?class (\w+)/gm), ([, name]) => name),
  );
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

test("every test is in the folder of its subject", () => {
  const folders = new Set([...gateway, ...tools].map(({ path }) => path.split("/")[1]));
  const programs = ["simulation", "limits-simulation", "restarts", "soak"];
  const suites = [
    "support",
    "fixtures",
    "process",
    "sdk",
    "clients",
    "fidelity",
    "service",
    "browser",
    ...programs,
  ];
  const misplaced = readdirSync("test", { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !folders.has(entry.name) && !suites.includes(entry.name))
    .map((entry) => entry.name);
  expect(misplaced).toEqual([]);
});

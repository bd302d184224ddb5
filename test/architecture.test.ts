import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

/**
 * Ranks of the folders of `src`, lowest first: a file may import from its own folder and from lower ranks. Files of one
 * rank know nothing of each other's folders.
 */
const RANKS: readonly (readonly string[])[] = [
  [
    "errors",
    "config-values",
    "config-origins",
    "config-proxy",
    "config-sources",
    "printable",
    "stop-signals",
    "when-orphaned",
    "node-version",
  ],
  ["openai", "usage", "pricing", "mock"],
  ["keys-data", "verify"],
  ["config-environment"],
  ["config"],
  ["http"],
  ["store"],
  ["limits", "upstream"],
  ["keys", "relay", "ledger"],
  ["books"],
  ["log-output"],
  ["logger"],
  ["routes"],
  ["presentation"],
  ["admin"],
  ["app"],
  ["gateway"],
  ["lifecycle", "kept-tick", "health-check"],
  ["main"],
  ["demo", "cli"],
  ["server"],
];

/** Files that stand apart from their folder: what the configuration is made of. */
const MOVED: Readonly<Record<string, string>> = {
  "keys/key-list.ts": "keys-data",
  "keys/gateway-key.ts": "keys-data",
};

/** Which libraries only one room may import. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  undici: ["upstream/"],
  zod: ["config-environment.ts", "config-values.ts", "keys/key-input.ts", "presentation/", "admin/", "cli/"],
  commander: ["cli/"],
  ioredis: ["store/"],
  kysely: ["store/"],
  pg: ["store/"],
  "node:sqlite": ["store/"],
  pino: ["logger.ts"],
  "@fastify/rate-limit": ["limits/"],
  "@fastify/cors": ["http/"],
  "@fastify/swagger": ["admin/"],
  "@fastify/swagger-ui": ["admin/"],
  "fastify-type-provider-zod": ["admin/"],
};

interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly { readonly target: string; readonly typeOnly: boolean }[];
}

const files: SourceFile[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((path) => /\.[jt]s$/.test(path))
  .map((path) => {
    const text = readFileSync(join("src", path), "utf8");
    const imports = [
      ...text.matchAll(/^(?:import|export)\s(type\s)?(?:[^"';]*\sfrom\s)?"([^"]+)"|import\("([^"]+)"\)/gm),
    ].map(([, type, target, dynamic]) => ({ target: target ?? dynamic ?? "", typeOnly: type !== undefined }));
    return { path, text, imports };
  });

function roomOf(path: string): string {
  return (
    MOVED[path] ?? (path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.[jt]s$/, ""))
  );
}

function rankOf(path: string): number {
  const rank = RANKS.findIndex((rooms) => rooms.includes(roomOf(path)));
  if (rank === -1) throw new Error(`${path} has no rank in test/architecture.test.ts`);
  return rank;
}

test("imports go one way, from later stages to earlier ones", () => {
  const wrong = files.flatMap(({ path, imports }) =>
    imports
      .filter(({ target, typeOnly }) => target.startsWith(".") && !typeOnly)
      .map(({ target }) => relative("src", join("src", dirname(path), target)))
      .filter((target) => roomOf(target) !== roomOf(path) && rankOf(target) >= rankOf(path))
      .map((target) => `${path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test("the admin API and the command line share only what they both import, types included", () => {
  const wrong = files
    .filter(({ path }) => ["presentation", "admin", "cli"].includes(roomOf(path)))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => /^\.\.\/(.*\/)?(admin|cli)\//.test(target))
        .map(({ target }) => `${path} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

test.each(Object.entries(OWNERS))("only its owner imports %s", (library, owners) => {
  const users = files.filter(({ imports }) =>
    imports.some(
      ({ target, typeOnly }) => !typeOnly && (target === library || target.startsWith(`${library}/`)),
    ),
  );
  expect(
    users.map(({ path }) => path).filter((path) => !owners.some((owner) => path.startsWith(owner))),
  ).toEqual([]);
  expect(users.length).toBeGreaterThan(0);
});

test("the environment is read in one place", () => {
  const readers = files.filter(
    ({ path, text }) => !path.startsWith("mock/") && /\bprocess\.env\b/.test(text),
  );
  expect(readers.map(({ path }) => path).toSorted()).toEqual(["server.ts"]);
});

test("every error body is made in one place", () => {
  const makers = files.filter(
    ({ path, text }) => !path.startsWith("mock/") && /JSON\.stringify\(\{ error:/.test(text),
  );
  expect(makers.map(({ path }) => path)).toEqual(["errors.ts"]);
});

test("no file is called after what it is not about", () => {
  expect(
    files
      .filter(({ path }) => /(^|\/)(utils?|helpers?|common|misc|index)[./]/.test(path))
      .map(({ path }) => path),
  ).toEqual([]);
});

test("every test stands where its subject stands", () => {
  const folders = new Set(files.map(({ path }) => dirname(path)).filter((folder) => folder !== "."));
  const tools = ["simulation", "restarts", "soak"];
  const suites = ["support", "fixtures", "process", "sdk", "fidelity", "service", ...tools];
  const strays = readdirSync("test", { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !folders.has(entry.name) && !suites.includes(entry.name))
    .map((entry) => entry.name);
  expect(strays).toEqual([]);
});

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runNode } from "../support/run-node.ts";
import { waitUntil } from "../support/wait.ts";

/** @returns the files and folders that the Dockerfile copies from the repository. */
function copiedPaths(): string[] {
  return [...readFileSync("Dockerfile", "utf8").matchAll(/^(?:COPY|ADD) (?!--from)(.+)$/gm)].flatMap(
    ([, words = ""]) =>
      words
        .split(" ")
        .slice(0, -1)
        .filter((word) => !word.startsWith("--")),
  );
}

test("the image contains the gateway and the simulator, and no other tool", () => {
  const paths = ["package.json", "package-lock.json", ".npmrc", "LICENSE", "src", "tools/simulator"];
  // The stage that builds the dashboard needs the options for the compiler.
  const copied = new Set([...paths, "tsconfig.json"]);
  expect(new Set(copiedPaths())).toEqual(copied);
  const context = [...readFileSync(".dockerignore", "utf8").matchAll(/^!(.+)$/gm)].map(([, path]) => path);
  expect(new Set(context)).toEqual(copied);
});

test("the stage of the dashboard has every file that the build needs", () => {
  const stage = /AS dashboard\n([\s\S]*?)\n\n/.exec(readFileSync("Dockerfile", "utf8"))?.[1] ?? "";
  const directory = mkdtempSync(join(tmpdir(), "sluice-stage-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const excluded = resolve("src/dashboard/dist");
  for (const [, words = ""] of stage.matchAll(/^COPY (.+) \S+$/gm))
    for (const path of words.split(" "))
      cpSync(path, join(directory, path), { recursive: true, filter: (file) => resolve(file) !== excluded });
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"));
  const build = spawnSync(process.execPath, ["src/dashboard/page/build.js"], {
    cwd: directory,
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(build.stderr).toBe("");
  expect(existsSync(join(directory, "src/dashboard/dist/index.html"))).toBe(true);
}, 90_000);

test("the demo starts with only the files that the image contains", async () => {
  const image = mkdtempSync(join(tmpdir(), "sluice-image-"));
  onTestFinished(() => rmSync(image, { recursive: true, force: true }));
  for (const path of copiedPaths()) cpSync(path, join(image, path), { recursive: true });
  symlinkSync(resolve("node_modules"), join(image, "node_modules"));
  const demo = runNode(join(image, "src/server.ts"), { PORT: "0" }, ["--demo"]);
  await waitUntil(() => demo.stdout().includes("Sluice is listening"), "the demo to be ready", 30_000);
  demo.child.kill("SIGINT");
  expect(await demo.waitForExit("the demo")).toBe(0);
}, 60_000);

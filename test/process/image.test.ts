import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
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
  expect(new Set(copiedPaths())).toEqual(new Set(paths));
  const context = [...readFileSync(".dockerignore", "utf8").matchAll(/^!(.+)$/gm)].map(([, path]) => path);
  expect(new Set(context)).toEqual(new Set(paths));
});

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

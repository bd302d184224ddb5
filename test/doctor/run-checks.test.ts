import { expect, test } from "vitest";
import { runChecks } from "../../src/doctor/run-checks.ts";
import { ok } from "../../src/doctor/finding.ts";
import { waitFor } from "../support/wait.ts";

test("a check that throws has one failed finding, and the others still run", async () => {
  const findings = await runChecks([
    {
      name: "a",
      deadlineMs: 1_000,
      run: () => {
        throw new Error("connect to postgres://bob:pass-word@db/x failed\nstack");
      },
    },
    { name: "b", deadlineMs: 1_000, run: () => [ok("fine\u001b[31m")] },
  ]);
  expect(findings).toEqual([
    {
      check: "a",
      status: "failed",
      finding: "The check failed: connect to postgres://***@db/x failed.",
      remedy: expect.any(String),
    },
    { check: "b", status: "ok", finding: "fine\\u{1b}[31m" },
  ]);
});

test("a check that hangs fails at its deadline, and receives the signal", async () => {
  let aborted = false;
  const check = {
    name: "slow",
    deadlineMs: 50,
    run: (signal: AbortSignal) => {
      signal.addEventListener("abort", () => (aborted = true));
      return new Promise<never>(() => {});
    },
  };
  const [finding] = await waitFor(runChecks([check]), "the deadline");
  expect(finding).toMatchObject({
    check: "slow",
    status: "failed",
    finding: expect.stringContaining("did not end within 0.05 s"),
  });
  expect(aborted).toBe(true);
});

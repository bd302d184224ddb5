// Applications that people use, unmodified, against a gateway in front of a simulated OpenRouter.
import { describe, expect, test } from "vitest";
import { waitUntil } from "../support/wait.ts";
import { AIDER } from "./aider.ts";
import { type Application, DONE } from "./application.ts";
import { CLAUDE_CODE } from "./claude-code.ts";
import { CODEX, CODEX_BUILT_IN } from "./codex.ts";
import { LLM } from "./llm.ts";
import { OPENCODE } from "./opencode.ts";
import { type Stage, createStage } from "./stage.ts";

const APPLICATIONS: readonly Application[] = [CLAUDE_CODE, CODEX, CODEX_BUILT_IN, OPENCODE, AIDER, LLM];

/** On a busy machine, opencode needs half a minute for its start. */
const TIMEOUT_MS = 120_000;
const START_DEADLINE_MS = 60_000;
/** Lasts 40 s. */
const SLOW = "sim/ok:events=40,gapMs=1000";

/** Compares the ledger with the requests that upstream received and the amounts that it billed. */
async function auditLedger(stage: Stage) {
  const rows = await stage.waitForSettledRows();
  const { simulator } = stage;
  const recorded = new Set(rows.map((row) => row.generation_id));
  const cost = rows.reduce((sum, row) => sum + Number(row.cost_nanodollars), 0);
  return {
    endpoints: [...new Set(rows.map(({ endpoint }) => endpoint))],
    nameSession: [...new Set(rows.map(({ session }) => session !== null))],
    sessions: new Set(rows.map(({ session }) => session)).size,
    missing: stage.listUpstreamPosts().filter(({ generationId = "" }) => !recorded.has(generationId)),
    wrong: rows.filter(
      (row) => Number(row.cost_nanodollars) !== simulator.findBilledNanodollars(row.generation_id ?? ""),
    ),
    costMinusBilled: cost - simulator.readStats().billedNanodollars,
  };
}

/** The audit of a ledger without faults. */
function createCleanAudit({ endpoint, namesSession }: Application) {
  return {
    endpoints: [endpoint],
    nameSession: [namesSession],
    sessions: 1,
    missing: [],
    wrong: [],
    costMinusBilled: 0,
  };
}

/** Removes colours and line breaks, which some applications add to messages. */
function flatten(output: string): string {
  // oxlint-disable-next-line no-control-regex -- terminal colours begin with ESC
  return output.replaceAll(/\u001b\[[\d;]*m/g, "").replaceAll(/\s+/g, " ");
}

describe.each(APPLICATIONS)("$name", { timeout: TIMEOUT_MS }, (application) => {
  test("performs a task with a tool call or an edit, and its requests are in the ledger", async () => {
    const stage = await createStage(application);
    const { code, output } = await stage.start().waitForEnd();
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining(DONE) });
    const posts = stage.listUpstreamPosts();
    expect(stage.listLogged("POST").map(({ status }) => status)).toEqual(posts.map(() => 200));
    expect(posts.map(({ model }) => model)).toEqual(Array(application.posts).fill(application.model));
    expect(stage.readEvidence()).toMatch(application.evidence);
    expect(await auditLedger(stage)).toEqual(createCleanAudit(application));
    expect(stage.proxy.requested).toEqual([]);
  });

  test("aborts the upstream request when it is interrupted, and the generation is in the ledger", async () => {
    const stage = await createStage(application);
    const running = stage.start({ model: SLOW });
    await waitUntil(
      () => stage.listUpstreamPosts().some(({ bytesSent }) => bytesSent > 0),
      "the response to a request",
      START_DEADLINE_MS,
    );
    running.interrupt();
    await waitUntil(
      () => stage.listUpstreamPosts().every(({ aborted }) => aborted),
      "the abort of the upstream requests",
    );
    await running.waitForEnd();
    expect(await auditLedger(stage)).toEqual(createCleanAudit(application));
    expect(stage.proxy.requested).toEqual([]);
  });

  test("shows the message for a wrong key after as few requests as possible", async () => {
    const { posts, shows } = application.wrongKey;
    const stage = await createStage(application);
    const { output } = await stage.start({ key: "sk-not-a-key-of-this-gateway" }).waitForEnd();
    expect(flatten(output)).toContain(shows);
    expect(stage.listLogged("POST")).toHaveLength(posts);
    expect(stage.simulator.seen).toEqual([]);
    expect(stage.proxy.requested).toEqual([]);
  });

  test("handles a response that upstream aborts, and every attempt is in the ledger", async () => {
    const { model, posts, shows } = application.brokenStream;
    const stage = await createStage(application);
    const { output } = await stage.start({ model }).waitForEnd();
    expect(flatten(output)).toContain(shows);
    const sent = stage.listUpstreamPosts().length;
    expect(posts).toContain(sent);
    expect(stage.listLogged("POST")).toHaveLength(sent);
    expect(await auditLedger(stage)).toEqual(createCleanAudit(application));
    expect(stage.proxy.requested).toEqual([]);
  });
});

test(
  "Codex's built-in provider sends its requests by HTTP after one attempt to open a WebSocket",
  { timeout: TIMEOUT_MS },
  async () => {
    const stage = await createStage(CODEX_BUILT_IN);
    await stage.start().waitForEnd();
    expect(stage.listLogged("GET")).toEqual([
      expect.objectContaining({ route: "/openai/v1/responses", status: 426 }),
    ]);
  },
);

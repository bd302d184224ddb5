import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, BROKEN_ONCE, DONE, UNKNOWN_KEY } from "./application.ts";

/** The simulator responds with the task, and aider performs the edit that is in the response. */
const EDIT = "notes.txt\n```\n<<<<<<< SEARCH\none\n=======\ntwo\n>>>>>>> REPLACE\n```\n";

const OPTIONS = [
  "--edit-format=diff",
  "--yes-always",
  "--no-pretty",
  "--no-gitignore",
  "--no-show-model-warnings",
  "--no-show-release-notes",
  "--no-check-update",
  "--analytics-disable",
];

export const AIDER: Application = {
  name: "aider",
  program: ".venv-aider/bin/aider",
  endpoint: "chat/completions",
  model: "openai/gpt-4o-mini",
  namesSession: false,
  evidence: /notes\.txt: two\n/,
  // The second request is for the message of the commit.
  posts: 2,
  wrongKey: { posts: 1, shows: UNKNOWN_KEY },
  brokenStream: { model: BROKEN_ONCE, posts: [3], shows: DONE },
  configure({ gatewayUrl, key, model, home }) {
    // With this file, aider does not download prices.
    const caches = join(home, ".aider/caches");
    mkdirSync(caches, { recursive: true });
    writeFileSync(join(caches, "model_prices_and_context_window.json"), JSON.stringify({ unused: {} }));
    return {
      args: ["--model", `openai/${model}`, "--message", EDIT, ...OPTIONS, "notes.txt"],
      env: {
        OPENAI_API_BASE: `${gatewayUrl}/openai/v1`,
        OPENAI_API_KEY: key,
        LITELLM_LOCAL_MODEL_COST_MAP: "True",
      },
    };
  },
};

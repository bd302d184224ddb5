import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ALWAYS_BROKEN, type Application, TASK, UNKNOWN_KEY } from "./application.ts";

const TOOL = `
def say(text: str) -> str:
    "Says a text."
    return "hello"
`;

export const LLM: Application = {
  name: "llm",
  program: ".venv-llm/bin/llm",
  endpoint: "chat/completions",
  model: "openai/gpt-4o-mini",
  namesSession: false,
  evidence: /"role": ?"tool",[^}]*"content": ?"hello"/,
  posts: 2,
  wrongKey: { posts: 1, shows: UNKNOWN_KEY },
  brokenStream: { model: ALWAYS_BROKEN, posts: [1], shows: "OpenRouter" },
  configure({ gatewayUrl, key, model, home }) {
    const userPath = join(home, "llm");
    mkdirSync(userPath);
    const entry = {
      model_id: "sluice",
      model_name: model,
      api_base: `${gatewayUrl}/openai/v1`,
      api_key_name: "sluice",
      supports_tools: true,
    };
    // JSON is YAML.
    writeFileSync(join(userPath, "extra-openai-models.yaml"), JSON.stringify([entry]));
    writeFileSync(join(userPath, "keys.json"), JSON.stringify({ sluice: key }));
    return {
      args: ["--model", "sluice", "--functions", TOOL, TASK],
      env: { LLM_USER_PATH: userPath },
    };
  },
};

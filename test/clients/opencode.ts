import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, BROKEN_ONCE, DONE, TASK, UNKNOWN_KEY } from "./application.ts";

export const OPENCODE: Application = {
  name: "opencode",
  program: "opencode/node_modules/opencode-*/bin/opencode",
  endpoint: "chat/completions",
  model: "openai/gpt-4o-mini",
  namesSession: true,
  evidence: /"role":"tool",[^}]*"content":"hello\\n"/,
  // The first request is for the title of the session.
  posts: 3,
  wrongKey: { posts: 2, shows: UNKNOWN_KEY },
  // It repeats the request of the task, but not the one for the title, which upstream may abort instead.
  brokenStream: { model: BROKEN_ONCE, posts: [3, 4], shows: DONE },
  configure({ gatewayUrl, key, model, home }) {
    const config = {
      provider: {
        sluice: {
          npm: "@ai-sdk/openai-compatible",
          name: "Sluice",
          options: { baseURL: `${gatewayUrl}/openai/v1`, apiKey: "{env:SLUICE_KEY}" },
          models: { [model]: {} },
        },
      },
      autoupdate: false,
      share: "disabled",
      permission: "allow",
    };
    const file = join(home, "opencode.json");
    writeFileSync(file, JSON.stringify(config));
    return {
      args: ["run", "--model", `sluice/${model}`, TASK],
      env: {
        OPENCODE_CONFIG: file,
        OPENCODE_DISABLE_MODELS_FETCH: "1",
        // Otherwise, opencode installs a package for plugins.
        npm_config_offline: "true",
        SLUICE_KEY: key,
      },
    };
  },
};

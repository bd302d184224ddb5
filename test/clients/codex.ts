import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ALWAYS_BROKEN, type Application, type Setup, TASK, UNKNOWN_KEY } from "./application.ts";

/** Turns off requests to GitHub and to OpenAI. */
const QUIET = `
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
`;

/** Writes the configuration file. @returns the value of CODEX_HOME. */
function writeConfig({ home }: Setup, settings: string): string {
  const codexHome = join(home, ".codex");
  mkdirSync(codexHome);
  writeFileSync(join(codexHome, "config.toml"), settings);
  return codexHome;
}

const ARGS = ["exec", "--dangerously-bypass-approvals-and-sandbox", TASK];

/** Codex with a provider of its configuration file, as `docs/clients.md` recommends. */
export const CODEX: Application = {
  name: "Codex",
  program: "codex/node_modules/@openai/codex-*/vendor/*/bin/codex",
  endpoint: "responses",
  model: "openai/gpt-5-mini",
  namesSession: true,
  evidence: /"type":"function_call_output",[^}]*hello/,
  posts: 2,
  wrongKey: { posts: 1, shows: UNKNOWN_KEY },
  // Repeats a request 5 times.
  brokenStream: { model: ALWAYS_BROKEN, posts: [6], shows: "stream disconnected before completion" },
  configure(setup) {
    const { gatewayUrl, key, model } = setup;
    const settings = `
model = "${model}"
model_provider = "sluice"
${QUIET}
[model_providers.sluice]
name = "Sluice"
base_url = "${gatewayUrl}/openai/v1"
wire_api = "responses"
env_key = "SLUICE_KEY"
`;
    return { args: ARGS, env: { CODEX_HOME: writeConfig(setup, settings), SLUICE_KEY: key } };
  },
};

/** Codex with its provider for OpenAI, which first asks for a WebSocket. */
export const CODEX_BUILT_IN: Application = {
  ...CODEX,
  name: "Codex with its built-in provider",
  configure(setup) {
    const { gatewayUrl, key, model } = setup;
    const settings = `
model = "${model}"
openai_base_url = "${gatewayUrl}/openai/v1"
${QUIET}
`;
    return { args: ARGS, env: { CODEX_HOME: writeConfig(setup, settings), CODEX_API_KEY: key } };
  },
};

import { type Application, BROKEN_ONCE, DONE, TASK, UNKNOWN_KEY } from "./application.ts";

export const CLAUDE_CODE: Application = {
  name: "Claude Code",
  program: "claude-code/node_modules/@anthropic-ai/claude-code-*/claude",
  endpoint: "messages",
  model: "anthropic/claude-haiku-4.5",
  namesSession: true,
  evidence: /"type":"tool_result","content":"hello"/,
  posts: 2,
  wrongKey: { posts: 1, shows: UNKNOWN_KEY },
  // Sends the request again without `stream`, and then the request with the result of the tool.
  brokenStream: { model: BROKEN_ONCE, posts: [3], shows: DONE },
  configure: ({ gatewayUrl, key, model }) => ({
    args: ["-p", TASK, "--model", model, "--allowedTools", "Bash"],
    env: {
      ANTHROPIC_BASE_URL: `${gatewayUrl}/anthropic`,
      ANTHROPIC_AUTH_TOKEN: key,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
  }),
};

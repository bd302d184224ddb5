// Chooses one of the tools that a request offers, and creates the arguments of its call.
import { makeInstance } from "./instance.ts";
import { type Fields, type FunctionTool, toFields } from "./request.ts";

const SHELL = /^(bash|shell|shell_command|exec_command|local_shell)$/i;
const COMMAND = "echo hello";
const COMMAND_NAMES = ["command", "cmd", "script"];

/**
 * Chooses the tool that `tool_choice` names, otherwise one that runs shell commands, otherwise the first one.
 * @returns undefined if `tool_choice` forbids calls or there are no tools
 */
export function chooseTool(tools: readonly FunctionTool[], choice: unknown): FunctionTool | undefined {
  const { type, name, function: chosen } = toFields(choice);
  if (choice === "none" || type === "none") return undefined;
  const requiredName = toFields(chosen)["name"] ?? name;
  if (requiredName !== undefined) return tools.find((tool) => tool.name === requiredName);
  return tools.find((tool) => SHELL.test(tool.name)) ?? tools[0];
}

/** Creates the arguments of a call: the command `echo hello` for a shell, otherwise any values that conform to the schema. */
export function makeArguments({ name, parameters }: FunctionTool): unknown {
  if (!SHELL.test(name)) return makeInstance(parameters ?? { type: "object" });
  const schema = toFields(parameters);
  const properties = toFields(schema["properties"]);
  const field = COMMAND_NAMES.find((one) => one in properties) ?? "command";
  // Optional settings such as a working directory would make a real shell fail.
  const required = schema["required"] ?? [];
  const others = makeInstance({ ...schema, type: "object", required }) as Fields;
  const isList = toFields(properties[field])["type"] === "array";
  return { ...others, [field]: isList ? ["sh", "-c", COMMAND] : COMMAND };
}

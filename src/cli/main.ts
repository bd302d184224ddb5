import process from "node:process";
import { Command } from "commander";
import { GatewayError } from "../errors.ts";
import { addKeysCommands, type RunCommand } from "./keys.ts";
import { CommandError, runWithDatabase } from "./session.ts";
import { addUsageCommand } from "./usage.ts";

/**
 * Runs the command line for keys and usage on the database of the gateway that this environment configures. The gateway
 * may run meanwhile, and sees changes within two seconds.
 * @param args without the names of the program and the script.
 */
export async function runCli(environment: NodeJS.ProcessEnv, args: readonly string[]): Promise<void> {
  // Whoever reads what is printed may have read enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  const run: RunCommand = (command) => runWithDatabase(environment, command);
  const program = new Command("sluice")
    .description("Keys and usage of a Sluice gateway")
    .showHelpAfterError();
  addKeysCommands(program, run);
  addUsageCommand(program, run);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof GatewayError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

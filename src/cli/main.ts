import process from "node:process";
import { Command } from "commander";
import { GatewayError } from "../errors.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addGroupsCommands } from "./groups.ts";
import { addKeysCommands, type RunCommand } from "./keys.ts";
import { addLeasesCommand } from "./leases.ts";
import { addReconcileCommand } from "./reconcile.ts";
import { CommandError, runWithDatabase } from "./session.ts";
import { addUsageCommand } from "./usage.ts";

/**
 * Runs a command on the database of the gateway that the environment configures, or checks the deployment. The gateway may be
 * running; it applies changes within two seconds.
 * @param args command line arguments, without the names of the program and the script.
 */
export async function runCli(environment: NodeJS.ProcessEnv, args: readonly string[]): Promise<void> {
  // The reader of a pipe, such as head(1), may exit before it has read all output.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  const run: RunCommand = (command) => runWithDatabase(environment, command);
  const program = new Command("sluice")
    .description(
      "Manage the keys of a Sluice gateway, report its usage, reconcile its ledger, and check its deployment",
    )
    .showHelpAfterError();
  addKeysCommands(program, run);
  addGroupsCommands(program, run);
  addUsageCommand(program, run);
  addReconcileCommand(program, run);
  addLeasesCommand(program, run);
  addDoctorCommand(program, environment);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof GatewayError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

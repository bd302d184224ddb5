import type { Command } from "commander";
import { groupChangesSchema, newGroupSchema } from "../keys/group-input.ts";
import type { ManagedGroup } from "../keys/key-group.ts";
import { readGroupBudgets } from "../metering/sql/budget-status.ts";
import { toGroupJson } from "../presentation/limit-json.ts";
import { formatLimits, printWithBudgets } from "./budget-table.ts";
import type { RunCommand } from "./keys.ts";
import { addLimitOptions, type LimitOptions, toLimitInput } from "./limit-options.ts";
import { PAGE_ROWS, readAllPages } from "./pages.ts";
import { parseOptions, printResult } from "./session.ts";

interface GroupOptions extends LimitOptions {
  readonly name?: string;
  readonly json: boolean;
}

/** Adds `groups create|list|show|update|delete`. */
export function addGroupsCommands(program: Command, run: RunCommand): void {
  const groups = program
    .command("groups")
    .description("create, list, show, update and delete groups of keys");
  addLimitOptions(groups.command("create").requiredOption("--name <name>", "name of the group"))
    .option("--json", "print JSON", false)
    .action((options: GroupOptions) =>
      run(async ({ keys, by }) => {
        const input = parseOptions(newGroupSchema, toFields(options));
        printGroup(await keys.groups.create(input, by), options.json);
      }),
    );
  addLimitOptions(groups.command("update <group>").option("--name <name>", "a new name"))
    .option("--no-budget", "remove all budgets")
    .option("--json", "print JSON", false)
    .action((group: string, options: GroupOptions) =>
      run(async ({ keys, by }) => {
        const changes = parseOptions(groupChangesSchema, toFields(options));
        printGroup(await keys.groups.update(group, changes, by), options.json);
      }),
    );
  addReadCommands(groups, run);
  groups
    .command("delete <group>")
    .description("delete a group to which no key belongs")
    .option("--json", "print JSON", false)
    .action((group: string, { json }: GroupOptions) =>
      run(async ({ keys, by }) => printGroup(await keys.groups.delete(group, by), json)),
    );
}

function addReadCommands(groups: Command, run: RunCommand): void {
  groups
    .command("list")
    .option("--json", "print JSON", false)
    .action(({ json }: GroupOptions) =>
      run(async ({ keys }) => {
        const found = await readAllPages((after) => keys.groups.list({ limit: PAGE_ROWS, after }));
        printResult(found.map(toGroupJson), found.map(toTableRow), json, "groups");
      }),
    );
  groups
    .command("show <group>")
    .description("show a group and the current periods of its budgets")
    .option("--json", "print JSON", false)
    .action((name: string, { json }: GroupOptions) =>
      run(async ({ keys, database }) => {
        const group = await keys.groups.get(name);
        const budgets = await readGroupBudgets(database, group, Date.now());
        printWithBudgets(toGroupJson(group), toTableRow(group), budgets, { asJson: json, noun: "groups" });
      }),
    );
}

function toFields(options: GroupOptions): Record<string, unknown> {
  const limits = toLimitInput(options);
  return { ...(options.name !== undefined && { name: options.name }), ...(limits && { limits }) };
}

function printGroup(group: ManagedGroup, json: boolean): void {
  printResult(toGroupJson(group), [toTableRow(group)], json, "groups");
}

function toTableRow(group: ManagedGroup): Record<string, unknown> {
  const { id, name, created_at } = toGroupJson(group);
  return { id, name, limits: formatLimits(group.limits), created_at };
}

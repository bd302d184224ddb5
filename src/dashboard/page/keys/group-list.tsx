import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { useApi } from "../api/use-api.ts";
import { Button } from "../components/controls.tsx";
import { downloadCsv } from "../components/download.ts";
import { Card } from "../components/layout.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { Name, Time } from "../components/values.tsx";
import { BudgetList, findTightest } from "./budget-bars.tsx";
import { DeleteGroupDialog, EditGroupDialog } from "./group-dialogs.tsx";
import type { Listed, ListedGroup } from "./key-types.ts";
import { LimitCounts } from "./limit-counts.tsx";
import { Pager } from "./pager.tsx";

const PAGE_GROUPS = 24;

/** The groups, each with its limits and budgets. */
export function GroupList(): JSX.Element {
  const { params } = useUrlParams(["after"]);
  const query = useApi<Listed<ListedGroup>>("/groups", {
    after: params.after,
    include_budgets: true,
    limit: PAGE_GROUPS,
  });
  return (
    <Loaded query={query} lines={8}>
      {({ data, next_after: nextAfter }) =>
        data.length === 0 ? (
          <Empty title="No group">
            Create a group, such as a team, for keys with common limits and budgets.
          </Empty>
        ) : (
          <>
            <div class="row">
              <Button size="small" onClick={() => saveGroups(data)}>
                CSV
              </Button>
            </div>
            <div class="grid">
              {data.map((group) => (
                <GroupCard key={group.id} group={group} />
              ))}
            </div>
            <Pager shown={`${data.length} ${data.length === 1 ? "group" : "groups"}`} nextAfter={nextAfter} />
          </>
        )
      }
    </Loaded>
  );
}

function GroupCard({ group }: { readonly group: ListedGroup }): JSX.Element {
  const [dialog, setDialog] = useState<"edit" | "delete">();
  const close = (): void => setDialog(undefined);
  const actions = (
    <>
      <Button size="small" aria-label={`Edit ${group.name}`} onClick={() => setDialog("edit")}>
        Edit
      </Button>
      <Button
        size="small"
        kind="plain"
        aria-label={`Delete ${group.name}`}
        onClick={() => setDialog("delete")}
      >
        Delete
      </Button>
    </>
  );
  return (
    <Card title={group.name} actions={actions}>
      <div class="stack">
        <BudgetList budgets={group.current_budgets ?? []} />
        <dl class="fields">
          <LimitCounts limits={group.limits} />
          <dt>Id</dt>
          <dd>
            <Name text={group.id} />
          </dd>
          <dt>Created</dt>
          <dd>
            <Time at={group.created_at} />
          </dd>
        </dl>
        <Link href={`/keys?group=${encodeURIComponent(group.name)}`}>Keys of this group</Link>
      </div>
      {dialog === "edit" && <EditGroupDialog group={group} onClose={close} />}
      {dialog === "delete" && <DeleteGroupDialog group={group} onClose={close} />}
    </Card>
  );
}

const CSV_HEAD = [
  "id",
  "name",
  "created_at",
  "tightest_budget_period",
  "tightest_budget_limit_usd",
  "tightest_budget_spent_usd",
  "tightest_budget_reserved_usd",
  "tightest_budget_remaining_usd",
];

function saveGroups(groups: readonly ListedGroup[]): void {
  const lines = groups.map(({ id, name, created_at: createdAt, current_budgets: budgets = [] }) => {
    const budget = findTightest(budgets);
    const amounts = budget && [
      budget.period,
      budget.limit_usd,
      budget.spent_usd,
      budget.reserved_usd,
      budget.remaining_usd,
    ];
    return [id, name, createdAt, ...(amounts ?? [null, null, null, null, null])];
  });
  downloadCsv("groups", CSV_HEAD, lines);
}

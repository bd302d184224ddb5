import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Link } from "wouter-preact";
import { requestApi } from "../api/request.ts";
import type { BudgetStatus, Key } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Button } from "../components/controls.tsx";
import { Card, Page } from "../components/layout.tsx";
import { ErrorNotice, Loaded, Notice } from "../components/states.tsx";
import { formatAge, formatTime } from "../format/times.ts";
import { BudgetList } from "./budget-bars.tsx";
import { KeyAudit, KeyRequests } from "./key-activity.tsx";
import { EditKeyDialog, RevokeDialog, RotateDialog, toKeyPath } from "./key-dialogs.tsx";
import { KeySettings } from "./key-settings.tsx";
import { findKeyState } from "./key-state.ts";
import { useAction } from "./use-action.ts";
import "./keys.css";

/** One key. @param props.id of the key. */
export function KeyPage({ id }: { readonly id: string }): JSX.Element {
  // Without the React key, the data of the previous key would stay until the data of this one has loaded.
  return <KeyDetails key={id} id={id} />;
}

function KeyDetails({ id }: { readonly id: string }): JSX.Element {
  const query = useApi<Key>(toKeyPath({ id }));
  return (
    <Page
      title={query.data?.name ?? "Key"}
      actions={query.data?.revoked_at === null && <KeyActions apiKey={query.data} />}
    >
      <Link href="/keys">All keys</Link>
      <Loaded query={query} lines={10}>
        {(key) => (
          <>
            <StateNotice apiKey={key} />
            <div class="grid">
              <BudgetCard title="Budgets" path={`${toKeyPath(key)}/budgets`} />
              {key.group_id !== null && (
                <BudgetCard
                  title={`Budgets of the group ${key.group}`}
                  path={`/groups/${encodeURIComponent(key.group_id)}/budgets`}
                />
              )}
              <Card title="Settings">
                <KeySettings apiKey={key} />
              </Card>
            </div>
            {key.role === "caller" && <KeyRequests keyId={key.id} />}
            <KeyAudit keyId={key.id} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function BudgetCard({ title, path }: { readonly title: string; readonly path: string }): JSX.Element {
  const query = useApi<{ data: BudgetStatus[] }>(path);
  return (
    <Card title={title}>
      <Loaded query={query}>{({ data }) => <BudgetList budgets={data} />}</Loaded>
    </Card>
  );
}

/** Explains why the gateway refuses the key, or soon will. */
function StateNotice({ apiKey }: { readonly apiKey: Key }): JSX.Element | null {
  const { label, tone } = findKeyState(apiKey, Date.now());
  const { revoked_at: revokedAt, expires_at: expiresAt, blocked_until: blockedUntil } = apiKey;
  const texts = {
    active: undefined,
    revoked: `Revoked permanently ${formatTime(revokedAt)}.`,
    disabled: "Disabled: the gateway refuses its requests until the key is enabled.",
    expired: `Expired ${formatTime(expiresAt)}. Edit the key to set a later time.`,
    "expires soon": `Expires ${formatAge(expiresAt)}, ${formatTime(expiresAt)}.`,
    blocked: `Blocked until ${formatTime(blockedUntil)}, because a request cost more than was reserved for it. Check the alert, then unblock the key.`,
  };
  const text = texts[label];
  return text === undefined ? null : <Notice tone={tone === "bad" ? "warning" : tone}>{text}</Notice>;
}

type DialogName = "edit" | "rotate" | "revoke";

function KeyActions({ apiKey }: { readonly apiKey: Key }): JSX.Element {
  const [dialog, setDialog] = useState<DialogName>();
  const { isPending, error, run } = useAction();
  const close = (): void => setDialog(undefined);
  const change = (body: object): void =>
    run(async () => requestApi<undefined>(toKeyPath(apiKey), { method: "PATCH", body }));
  const isBlocked = apiKey.blocked_until !== null && Date.parse(apiKey.blocked_until) > Date.now();
  return (
    <>
      {error && <ErrorNotice error={error} />}
      {isBlocked && (
        <Button kind="primary" disabled={isPending} onClick={() => change({ unblock: true })}>
          Unblock
        </Button>
      )}
      <Button onClick={() => setDialog("edit")}>Edit</Button>
      <Button onClick={() => setDialog("rotate")}>Rotate</Button>
      <Button disabled={isPending} onClick={() => change({ disabled: !apiKey.disabled })}>
        {apiKey.disabled ? "Enable" : "Disable"}
      </Button>
      <Button kind="danger" onClick={() => setDialog("revoke")}>
        Revoke
      </Button>
      {dialog === "edit" && <EditKeyDialog apiKey={apiKey} onClose={close} />}
      {dialog === "rotate" && <RotateDialog apiKey={apiKey} onClose={close} />}
      {dialog === "revoke" && <RevokeDialog apiKey={apiKey} onClose={close} />}
    </>
  );
}

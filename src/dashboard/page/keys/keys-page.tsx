import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button, Choices } from "../components/controls.tsx";
import { Page } from "../components/layout.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { CreateGroupDialog } from "./group-dialogs.tsx";
import { GroupList } from "./group-list.tsx";
import { CreateKeyDialog } from "./key-dialogs.tsx";
import { EnvironmentKeys } from "./environment-keys.tsx";
import { KeyList } from "./key-list.tsx";
import "./keys.css";

/** The keys and groups. */
export function KeysPage(): JSX.Element {
  const { params, setParams } = useUrlParams(["view"]);
  const [isCreating, setIsCreating] = useState(false);
  const isGroups = params.view === "groups";
  const close = (): void => setIsCreating(false);
  const actions = (
    <>
      <Choices
        label="Show"
        value={isGroups ? "groups" : "keys"}
        options={[
          ["keys", "Keys"],
          ["groups", "Groups"],
        ]}
        onChange={(view) => setParams({ view: view === "groups" ? view : undefined })}
      />
      <Button kind="primary" onClick={() => setIsCreating(true)}>
        {isGroups ? "Create group" : "Create key"}
      </Button>
    </>
  );
  return (
    <Page title={isGroups ? "Groups" : "Keys"} actions={actions}>
      {isGroups ? (
        <GroupList />
      ) : (
        <>
          <KeyList />
          <EnvironmentKeys />
        </>
      )}
      {isCreating && (isGroups ? <CreateGroupDialog onClose={close} /> : <CreateKeyDialog onClose={close} />)}
    </Page>
  );
}

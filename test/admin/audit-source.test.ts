import { expect, test } from "vitest";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { RawClient } from "../support/raw-client.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil, waitFor } from "../support/wait.ts";
import { startAdminApp } from "../support/admin-app.ts";

test("the audit table records the address of an admin even if the connection is reset while the gateway authenticates the request", async () => {
  const database = await openTestDatabase();
  const keys = new KeyService(database);
  await keys.create(newKeySchema.parse({ name: "team" }), { actor: "cli", source: "test" });
  const arrived = Promise.withResolvers<void>();
  const lookUp = Promise.withResolvers<void>();
  const app = await startAdminApp(database, {
    beforeAuthentication() {
      arrived.resolve();
      return lookUp.promise;
    },
  });
  const client = new RawClient(app.port);
  client.send("DELETE /admin/v1/keys/team HTTP/1.1\r\nhost: gateway\r\n\r\n");
  await waitFor(arrived.promise, "the request to arrive");
  client.socket.resetAndDestroy();
  await waitUntil(() => app.ended.length === 1, "the request to end");
  lookUp.resolve();
  const entry = await waitUntil(
    async () => (await keys.listAudit({ limit: 10 })).find(({ action }) => action === "revoke"),
    "the revocation",
  );
  expect(entry.source).toBe("127.0.0.1");
});

import { createServer, request as sendRequest, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openDashboard, startDashboardGateway } from "./dashboard.ts";

const BASIC = `Basic ${Buffer.from("user:password").toString("base64")}`;

/** Starts a proxy that requires basic authentication and forwards all headers. @returns its port, and counts its refusals. */
async function startBasicProxy(gatewayPort: number) {
  const refused: string[] = [];
  const forward: RequestListener = (request, response) => {
    const { method = "", url = "", headers } = request;
    if (headers.authorization !== BASIC) {
      refused.push(`${method} ${url}`);
      response.writeHead(401, { "www-authenticate": 'Basic realm="proxy"' }).end();
      return;
    }
    const forwarded = sendRequest({ port: gatewayPort, method, path: url, headers }, (upstream) => {
      response.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    request.pipe(forwarded);
  };
  const server = createServer(forward);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, refused };
}

test("the dashboard works behind a proxy with basic authentication, which asks for the password once", async () => {
  const gateway = await startDashboardGateway();
  const proxy = await startBasicProxy(gateway.port);
  const origin = `http://127.0.0.1:${proxy.port}`;
  const dashboard = await openDashboard({ ...gateway, origin });
  const { page, watched } = dashboard;
  await watched.context.setHTTPCredentials({ username: "user", password: "password" });
  await dashboard.signIn();
  await dashboard.goTo("Keys");
  await dashboard.waitUntilLoaded();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Admin key").waitFor();
  expect(proxy.refused).toEqual(["GET /dashboard"]);
});

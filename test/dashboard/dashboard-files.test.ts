import { globSync, readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { sendRequest, type TestRequest } from "../support/send-request.ts";

const BUNDLE_MAX_BYTES = 150_000;

async function start(): Promise<(path: string, request?: TestRequest) => Promise<RawResponse>> {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const headers = { authorization: undefined };
  return (path, request = {}) =>
    sendRequest(port, {
      method: "GET",
      body: "",
      ...request,
      headers: { ...headers, ...request.headers },
      path,
    });
}

test.each([
  "/dashboard",
  "/dashboard/",
  "/dashboard/requests",
  "/dashboard/keys/key_1",
  "/dashboard/keys/my.app",
])(
  "sends the page at %s to a client without a key, with a policy that allows no other origin",
  async (path) => {
    const get = await start();
    const { status, headers, body } = await get(path);
    expect([status, headers["content-type"], headers["cache-control"]]).toEqual([
      200,
      "text/html; charset=utf-8",
      "no-cache",
    ]);
    expect(body.toString()).toContain('<script type="module"');
    expect(body.toString()).not.toMatch(/<script>|<style|style=|https?:/);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "x-frame-options": "DENY" });
  },
);

test("sends the files that the page names, compressed if the client accepts it, to be cached forever", async () => {
  const get = await start();
  const page = (await get("/dashboard")).body.toString();
  const urls = Array.from(page.matchAll(/(?:src|href)="([^"]+)"/g), ([, url = ""]) => url);
  expect(urls.length).toBeGreaterThanOrEqual(3);
  for (const url of urls) {
    const plain = await get(url);
    const compressed = await get(url, { headers: { "accept-encoding": "gzip, br" } });
    expect([plain.status, plain.headers["cache-control"]]).toEqual([
      200,
      "public, max-age=31536000, immutable",
    ]);
    expect([plain.headers["content-encoding"], compressed.headers["content-encoding"]]).toEqual([
      undefined,
      "gzip",
    ]);
    expect(gunzipSync(compressed.body).equals(plain.body)).toBe(true);
  }
});

test.each([
  "/dashboard/assets/missing.js",
  "/dashboard/..%2f..%2fserver.ts",
  "/dashboard/%2e%2e/package.json",
])("responds with 404 to %s", async (path) => {
  const get = await start();
  const { status, body } = await get(path);
  expect([status, JSON.parse(body.toString()).error.code]).toEqual([404, "unknown_url"]);
});

test("responds with 405 to other methods, and to HEAD without a body", async () => {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const url = `http://127.0.0.1:${port}/dashboard/keys`;
  const post = await fetch(url, { method: "POST" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("all files of the dashboard are smaller than 150 kB after compression", () => {
  const files = globSync("src/dashboard/dist/**/*.*");
  expect(files.length).toBeGreaterThan(2);
  const bytes = files.map((path) => gzipSync(readFileSync(path)).length);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(BUNDLE_MAX_BYTES);
});

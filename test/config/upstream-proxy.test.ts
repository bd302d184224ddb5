import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { selectProxy } from "../../src/config/upstream-proxy.ts";
import { listMistakes } from "../support/config-mistakes.ts";

const PROXY = "http://proxy:3128";

test.each([
  ["", true],
  ["*", false],
  ["other.ai, * ", false],
  ["*:443", false],
  ["*:80", true],
  ["openrouter.ai", false],
  ["OpenRouter.AI.", false],
  [".openrouter.ai", false],
  ["*.openrouter.ai", true],
  ["*.ai", false],
  ["ai", false],
  ["router.ai", true],
  ["openrouter.ai:443", false],
  ["openrouter.ai:80", true],
  ["a.b\topenrouter.ai", false],
  ["10.0.0.0/8", true],
])("with NO_PROXY=%j, requests to openrouter.ai use the proxy: %s", (NO_PROXY, isProxied) => {
  expect(selectProxy("https://openrouter.ai/api/v1", { HTTPS_PROXY: PROXY, NO_PROXY })).toBe(
    isProxied ? PROXY : undefined,
  );
});

test.each([
  ["http://127.0.0.1:9180", "127.0.0.0/8", false],
  ["http://127.0.0.1:9180", "127.0.0.0/99,::/0", true],
  ["http://127.0.0.1:9180", "127.0.0.1:9180", false],
  ["http://127.0.0.1:9180", "127.0.0.1:9181", true],
  ["http://localhost:9180", "localhost", false],
  ["http://localhost:9180", "127.0.0.1", true],
  ["http://[::1]:9180", "::1", false],
  ["http://[::1]:9180", "[::1]", false],
  ["http://[::1]:9180", "[::1]:9180", false],
  ["http://[::1]:9180", "[::1]:1", true],
  ["http://[fd00::5]", "fd00::/8", false],
])("requests to %s with NO_PROXY=%s use the proxy: %s", (target, NO_PROXY, isProxied) => {
  expect(selectProxy(target, { HTTP_PROXY: PROXY, NO_PROXY }) !== undefined).toBe(isProxied);
});

test("HTTPS_PROXY applies to https URLs; HTTP_PROXY applies to http URLs, and to https URLs if HTTPS_PROXY is not set", () => {
  const proxyUrl = (env: Record<string, string>): string | undefined => loadConfig(env).upstream.proxyUrl;
  const http = { OPENROUTER_BASE_URL: "http://127.0.0.1:1" };
  expect(proxyUrl({})).toBeUndefined();
  expect(proxyUrl({ HTTPS_PROXY: "http://a:1", HTTP_PROXY: "http://b:1" })).toBe("http://a:1");
  expect(proxyUrl({ HTTP_PROXY: "http://b:1" })).toBe("http://b:1");
  expect(proxyUrl({ ...http, HTTP_PROXY: "http://b:1" })).toBe("http://b:1");
  expect(proxyUrl({ ...http, HTTPS_PROXY: "http://a:1" })).toBeUndefined();
});

test("lower-case proxy variables take precedence over upper-case ones", () => {
  const { upstream } = loadConfig({ https_proxy: '"proxy:1"', HTTPS_PROXY: "http://b:1" });
  expect(upstream.proxyUrl).toBe("http://proxy:1");
  expect(loadConfig({ https_proxy: " ", HTTPS_PROXY: "http://b:1" }).upstream.proxyUrl).toBe("http://b:1");
  expect(loadConfig({ https_proxy: "a:1", no_proxy: "openrouter.ai" }).upstream.proxyUrl).toBeUndefined();
});

test.each(["socks5://a:1", "http://", "http://a:1/path", "http://a:1?x", "http://%zz:p@a:1", "a b"])(
  "rejects HTTPS_PROXY=%s, and names the variable",
  (value) => {
    expect(listMistakes({ HTTPS_PROXY: value })).toEqual([
      expect.stringMatching(/^HTTPS_PROXY must be the http/),
    ]);
  },
);

test("alerts use the proxy of their own scheme and host", () => {
  const env = {
    OPENROUTER_API_KEY: "sk-or",
    ALERT_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
    HTTPS_PROXY: "http://proxy:1",
    NO_PROXY: "hooks.internal",
  };
  const proxies = [
    "https://hooks.example.com/x",
    "https://hooks.internal/x",
    "http://hooks.example.com/x",
  ].map((url) => loadConfig({ ...env, ALERT_WEBHOOK_URL: url }).alertWebhook?.proxyUrl);
  expect(proxies).toEqual(["http://proxy:1", undefined, undefined]);
});

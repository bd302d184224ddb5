import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { environmentSchema } from "../../src/config/environment-schema.ts";

const find = (env: Record<string, string>, name: string) =>
  loadConfig(env).settings.find((setting) => setting.name === name);

test("every variable of the schema is a setting, in the order of the schema", () => {
  expect(loadConfig({}).settings.map(({ name }) => name)).toEqual(Object.keys(environmentSchema.shape));
});

test("a setting states its default, or the value that was set, and whether that value is the default", () => {
  const name = "DRAIN_MS";
  const shown = { name, isSecret: false };
  expect(find({}, name)).toEqual({ ...shown, value: "2000", isSet: false, isDefault: true });
  expect(find({ [name]: "2000" }, name)).toEqual({ ...shown, value: "2000", isSet: true, isDefault: true });
  expect(find({ [name]: " 0 " }, name)).toEqual({ ...shown, value: "0", isSet: true, isDefault: false });
});

test("a setting whose default depends on others has no value", () => {
  expect(find({}, "MAX_IN_FLIGHT_PER_KEY")).toMatchObject({ value: null, isSecret: false, isDefault: true });
});

test("lists and flags are shown as an operator writes them", () => {
  const env = { TRUST_PROXY: "loopback, 10.0.0.0/8", METRICS_KEY_LABEL: "true" };
  expect(find(env, "TRUST_PROXY")?.value).toBe("loopback, 10.0.0.0/8");
  expect(find({}, "TRUST_PROXY")?.value).toBe("");
  expect(find(env, "METRICS_KEY_LABEL")?.value).toBe("true");
});

test("a secret from a file has no value, but it is set", () => {
  const { settings } = loadConfig(
    { OPENROUTER_API_KEY_FILE: "/run/secrets/key", GATEWAY_API_KEYS: "team:sk-a" },
    () => "sk-or-v1-x\n",
  );
  const secret = { value: null, isSecret: true, isSet: true, isDefault: false };
  expect(settings.find(({ name }) => name === "OPENROUTER_API_KEY")).toMatchObject(secret);
  expect(settings.find(({ name }) => name === "GATEWAY_API_KEYS")).toMatchObject(secret);
  expect(settings.find(({ name }) => name === "OPENROUTER_API_KEY_FILE")?.value).toBe("/run/secrets/key");
});

test("no setting contains a secret", () => {
  const mark = "a1b2c3d4e5f6a7b8";
  const proxy = `http://user:${mark}@proxy.example.com`;
  const { settings } = loadConfig({
    OPENROUTER_API_KEY: mark,
    OPENROUTER_MANAGEMENT_KEY: mark,
    GATEWAY_API_KEYS: `team:${mark}`,
    DATABASE_URL: `postgres://user:${mark}@db/sluice`,
    REDIS_URL: `redis://user:${mark}@redis`,
    ALERT_WEBHOOK_URL: `https://example.com/${mark}`,
    ALERT_WEBHOOK_SECRET: `whsec_${mark}${mark}`,
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
  });
  expect(JSON.stringify(settings)).not.toContain(mark);
});

test("a URL with a password is hidden, even in a setting that is not a secret", () => {
  expect(find({ APP_URL: "https://me:s3cret@example.com" }, "APP_URL")).toMatchObject({
    value: null,
    isSecret: true,
  });
});

test("every setting whose name suggests a secret is hidden, so that a new one cannot be forgotten", () => {
  const shown = loadConfig({}).settings.filter(({ isSecret }) => !isSecret);
  const suspicious = shown.filter(
    ({ name }) => /KEY|SECRET|TOKEN|PASSWORD|PROXY|URL/.test(name) && !name.endsWith("_FILE"),
  );
  // Counts, names, lists of hosts, and the URLs that the schema accepts only without a password.
  expect(suspicious.map(({ name }) => name)).toEqual([
    "OPENROUTER_BASE_URL",
    "NO_PROXY",
    "TRUST_PROXY",
    "MAX_IN_FLIGHT_PER_KEY",
    "METRICS_KEY_LABEL",
    "APP_URL",
  ]);
});

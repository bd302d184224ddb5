import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { waitUntil } from "../support/wait.ts";

const { PATH = "", HOME = "" } = process.env;

test("the simulator exits when its npm process is killed, even with a request in flight", async () => {
  const npm = spawn("npm", ["run", "mock", "--", "--port", "0"], {
    env: { PATH, HOME },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  onTestFinished(() => {
    try {
      process.kill(-(npm.pid ?? 0), "SIGKILL");
    } catch {
      // All processes of the group have ended, as expected.
    }
  });
  let printed = "";
  npm.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  const [baseUrl] = await waitUntil(() => /http:\/\/\S+v1/.exec(printed), "the simulator to listen");
  const hanging = fetch(`${baseUrl}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer any", "content-type": "application/json" },
    body: JSON.stringify({ model: "sim/hang", messages: [{ role: "user", content: "x" }] }),
  }).then(
    () => "completed",
    () => "broken",
  );
  const stats = new URL("/__simulator/stats", baseUrl);
  const isServing = (): Promise<boolean> =>
    fetch(stats).then(
      ({ ok }) => ok,
      () => false,
    );
  expect(await isServing()).toBe(true);
  npm.kill("SIGTERM");
  await once(npm, "exit");
  await waitUntil(async () => !(await isServing()), "the simulator to exit");
  expect(await hanging).toBe("broken");
});

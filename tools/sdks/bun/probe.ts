// Probe of Bun's fetch, on which coding agents run: the gateway refuses each request before its body has arrived. Bun 1.3
// sends its next request over the connection of the refusal unless the server has closed that connection.
import { API_KEY, BASE_URL, buildPrompt, PLAIN, runProbe } from "../harness.ts";

const BODY = JSON.stringify({
  model: PLAIN,
  messages: [{ role: "user", content: buildPrompt("refused") + "x".repeat(400_000) }],
});
/** Pause between requests. It is shorter than the delay of any client before a retry. */
const BETWEEN_MS = 100;

async function expectRefusal(status: string): Promise<void> {
  const response = await fetch(`${BASE_URL}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
    body: BODY,
  });
  const text = await response.text();
  if (String(response.status) !== status)
    throw new Error(`expected ${status}, got ${response.status} ${text}`);
  await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
}

const [, , expected = ""] = process.argv;
const requests = ["first", "second", "third", "fourth"];
await runProbe(Object.fromEntries(requests.map((name) => [name, () => expectRefusal(expected)])));

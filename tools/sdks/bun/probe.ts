// Bun's fetch with bodies that are refused before they have arrived. Bun 1.3 sends its next request over the connection of
// such a refusal, unless the server has closed it; coding agents run on it.
import { API_KEY, BASE_URL, buildPrompt, PLAIN, runProbe } from "../harness.ts";

const BODY = JSON.stringify({
  model: PLAIN,
  messages: [{ role: "user", content: buildPrompt("refused") + "x".repeat(400_000) }],
});
/** Less than any client waits before it asks again. */
const BETWEEN_MS = 100;

async function refusedWith(status: string): Promise<void> {
  const answer = await fetch(`${BASE_URL}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
    body: BODY,
  });
  const text = await answer.text();
  if (String(answer.status) !== status) throw new Error(`expected ${status}, came ${answer.status} ${text}`);
  await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
}

const [, , expected = ""] = process.argv;
const requests = ["first", "second", "third", "fourth"];
await runProbe(Object.fromEntries(requests.map((name) => [name, () => refusedWith(expected)])));

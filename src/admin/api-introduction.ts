import { listErrors } from "../errors.ts";

/** The introduction of the API reference, in Markdown. */
export const INTRODUCTION = `Sluice relays requests to OpenRouter and returns its responses unchanged. Clients of OpenAI's and Anthropic's APIs work with a base URL and a key of this gateway.

## Where to begin

1. **Take a key.** The first start of the gateway prints a caller key and an admin key. \`POST /admin/v1/keys\` creates more.
2. **Enter it here.** *Authorize* takes one entry per kind of key, and keeps the keys only until this page is closed.
3. **Send a request.** Open \`POST /openai/v1/chat/completions\`, choose *Try it out*, then *Execute*. Every example is complete and works as it is, except where its text says what to fill in.
4. **Configure a client.** OpenAI's SDKs take the base URL of this gateway with \`/openai/v1\`, Anthropic's with \`/anthropic\`.

| kind of key | operations | error with the other kind |
|---|---|---|
| caller key | \`/openai/v1\`, \`/anthropic/v1\` | 403 \`key_role_not_allowed\` |
| admin key | \`/admin/v1\` | 403 \`key_role_not_allowed\` |

<details><summary>Units of money, times and sizes</summary>

- **Money** is in US dollars in fields that end in \`_usd\`: exact decimal digits if the value is a string. Fields that end in \`_nanodollars\` have whole nanodollars (1e-9 US dollars).
- **Times** are in ISO 8601 and UTC, such as \`2026-11-22T12:00:00.000Z\`.
- **Durations** are in ms in fields that end in \`_ms\`, and **sizes** in bytes in \`bytes_in\` and \`bytes_out\`.
- \`null\` means that a value does not exist or is not known; the field says which.

</details>

<details><summary>Codes of errors</summary>

The gateway's own errors have a \`code\`. Errors of OpenRouter keep its status and body. Every response has the header \`x-request-id\`, which the gateway's log and ledger contain too.

| status | codes |
|---|---|
${formatErrorRows()}

</details>
`;

function formatErrorRows(): string {
  const codes = Map.groupBy(listErrors(), ({ status }) => status);
  return [...codes]
    .toSorted(([a], [b]) => a - b)
    .map(([status, errors]) => `| ${status} | ${errors.map(({ code }) => `\`${code}\``).join(", ")} |`)
    .join("\n");
}

import type { Harness } from "../harness.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";

type Headers = Readonly<Record<string, string>>;

interface Hidden {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  readonly sent: Headers;
}

const HIDDEN_FROM_UPSTREAM: readonly Hidden[] = [
  {
    name: "cookie",
    title: "the client's cookies do not reach upstream",
    why: "cookies are credentials for the gateway's site, not for OpenRouter",
    sent: { cookie: "session=secret-of-this-site" },
  },
  {
    name: "forwarded",
    title: "addresses of clients and of the network do not reach upstream",
    why: "the addresses reveal the client and the structure of the network to a third party",
    sent: {
      "x-forwarded-for": "203.0.113.7",
      "x-forwarded-host": "internal.example.com",
      "x-forwarded-proto": "https",
      "x-real-ip": "203.0.113.7",
      forwarded: "for=203.0.113.7",
    },
  },
  {
    name: "depth",
    title: "OpenRouter's internal depth headers do not reach upstream",
    why: "OpenRouter counts nested calls in these headers; a client could disable its guard against loops",
    sent: {
      "x-openrouter-fusion-depth": "1",
      "x-openrouter-advisor-depth": "1",
      "x-openrouter-subagent-depth": "1",
    },
  },
  {
    name: "hop-by-hop",
    title: "hop-by-hop headers do not reach upstream",
    why: "RFC 9110, section 7.6.1: these headers, and those that Connection names, are for one connection only",
    sent: {
      connection: "keep-alive, x-only-here",
      "x-only-here": "1",
      te: "trailers",
      "proxy-authorization": "Basic c2VjcmV0",
    },
  },
];

function createHiddenCheck({ name, title, why, sent }: Hidden): Check {
  // Connection itself is allowed, because the gateway sends its own.
  const names = Object.keys(sent).filter((header) => header !== "connection");
  return {
    id: `isolation/${name}`,
    title,
    why,
    expected: `upstream sees none of ${names.join(", ")}`,
    run: async (harness) => {
      const { exchange } = await harness.waitForUpstream(harness.sendChat({ stream: false, headers: sent }));
      const { headers } = exchange.req;
      const seen = names.filter((header) => headers[header] !== undefined);
      return toOutcome(
        seen.length === 0,
        seen.length === 0 ? "none" : seen.map((header) => `${header}: ${String(headers[header])}`).join("; "),
      );
    },
  };
}

async function checkAbsent(
  harness: Harness,
  isUpstreams: (name: string, value: string) => boolean,
): Promise<CheckOutcome> {
  const { response } = await harness.waitForResponse(harness.sendChat({ stream: false }));
  const received = response.headers.filter(([name, value]) => isUpstreams(name, value));
  return toOutcome(
    received.length === 0,
    received.length === 0 ? "none" : received.map(([name, value]) => `${name}: ${value}`).join("; "),
  );
}

const HIDDEN_FROM_CLIENTS: readonly Check[] = [
  {
    id: "isolation/set-cookie",
    title: "upstream's Set-Cookie does not reach the client",
    why: "the cookie belongs to OpenRouter's edge; relayed, it would be set for the gateway's site, and many clients would share it",
    expected: "no Set-Cookie",
    run: (harness) => checkAbsent(harness, (name) => name === "set-cookie"),
  },
  {
    id: "isolation/cors",
    title: "upstream's Access-Control headers do not reach the client",
    why: "`*` would let every web page read the gateway's responses, whatever its own configuration allows",
    expected: "no Access-Control headers",
    run: (harness) => checkAbsent(harness, (name) => name.startsWith("access-control-")),
  },
  {
    id: "isolation/server",
    title: "upstream's Server does not reach the client",
    why: "the header names a server that is not the one that sends the response",
    expected: "no Server: cloudflare",
    run: (harness) => checkAbsent(harness, (name, value) => name === "server" && value === "cloudflare"),
  },
  {
    id: "isolation/edge",
    title: "headers of upstream's edge do not reach the client",
    why: "CF-Ray identifies a request to OpenRouter's site, and misleads an operator whose gateway is behind Cloudflare",
    expected: "no CF-… headers",
    run: (harness) => checkAbsent(harness, (name) => name.startsWith("cf-")),
  },
];

/** Headers that must not cross the gateway. */
export const ISOLATION_CHECKS: readonly Check[] = [
  ...HIDDEN_FROM_UPSTREAM.map(createHiddenCheck),
  ...HIDDEN_FROM_CLIENTS,
];

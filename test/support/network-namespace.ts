import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { onTestFinished } from "vitest";

/** A network namespace that a virtual cable (veth pair) connects to this machine. */
export interface NetworkNamespace {
  /** Addresses of this machine on the cable. */
  readonly hosts: { readonly ipv4: string; readonly ipv6: string };
  /** Runs a Node script in the namespace. The process ends with the test. */
  run(script: string, args: readonly string[]): { readonly stdout: () => string };
  /** Disables the link at the end that is in the namespace. */
  loseLink(): void;
  /** Removes the addresses in the namespace, so that packets to them are dropped. */
  loseAddress(): void;
}

/** Creates a network namespace with a veth pair; needs root and iproute2. The namespace is deleted when the test ends. */
export function createNetworkNamespace(): NetworkNamespace {
  const id = randomInt(1, 65_535);
  const name = `slc${id.toString(16)}`;
  const [near, far] = [`${name}n`, `${name}f`];
  const ipv4 = `10.213.${id >> 8}.${(id & 63) * 4}`.split(".");
  const nearIpv4 = [...ipv4.slice(0, 3), Number(ipv4[3]) + 1].join(".");
  const farIpv4 = [...ipv4.slice(0, 3), Number(ipv4[3]) + 2].join(".");
  const prefix = `fd13:7:${id.toString(16)}`;
  const ip = (...args: readonly string[]): void => void execFileSync("ip", args);
  const inside = (...args: readonly string[]): void => ip("netns", "exec", name, "ip", ...args);
  ip("netns", "add", name);
  onTestFinished(() => ip("netns", "del", name));
  ip("link", "add", near, "type", "veth", "peer", "name", far);
  onTestFinished(() => ip("link", "del", near));
  ip("link", "set", far, "netns", name);
  ip("addr", "add", `${nearIpv4}/30`, "dev", near);
  ip("addr", "add", `${prefix}::1/64`, "dev", near, "nodad");
  ip("link", "set", near, "up");
  inside("addr", "add", `${farIpv4}/30`, "dev", far);
  inside("addr", "add", `${prefix}::2/64`, "dev", far, "nodad");
  inside("link", "set", far, "up");
  return {
    hosts: { ipv4: nearIpv4, ipv6: `${prefix}::1` },
    run(script, args) {
      const child = spawn("ip", ["netns", "exec", name, process.execPath, "--eval", script, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      let stdout = "";
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      return { stdout: () => stdout };
    },
    loseLink: () => inside("link", "set", far, "down"),
    loseAddress() {
      // Without static neighbour entries, address resolution would fail and the kernel would notify the sockets.
      const mac = JSON.parse(
        execFileSync("ip", ["netns", "exec", name, "ip", "-json", "link", "show", far], { encoding: "utf8" }),
      )[0].address;
      for (const address of [farIpv4, `${prefix}::2`])
        ip("neigh", "replace", address, "lladdr", mac, "dev", near, "nud", "permanent");
      inside("-4", "addr", "flush", "dev", far);
      inside("-6", "addr", "flush", "dev", far);
    },
  };
}

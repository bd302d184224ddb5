import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** The page's HTML, which every URL of the dashboard without a file gets. */
export const PAGE_FILE = "index.html";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** A file of the dashboard, ready to be sent. */
export interface BuiltFile {
  readonly type: string;
  readonly content: Buffer;
  readonly compressed: Buffer;
}

/**
 * The files of a directory. Each is read and compressed at its first request and then kept in memory, because a file that is
 * streamed from disk holds a descriptor until its client has read the whole response.
 */
export class BuiltFiles {
  readonly #directory: URL;
  readonly #names: ReadonlySet<string>;
  readonly #files = new Map<string, Promise<BuiltFile>>();

  /** @param directory its few small files do not change. It may not exist. */
  constructor(directory: URL) {
    this.#directory = directory;
    const names = globSync("**/*.*", { cwd: fileURLToPath(directory) });
    this.#names = new Set(names.filter((name) => TYPES[extname(name)] !== undefined));
  }

  /** Whether a file exists. @param name relative to the directory, such as `assets/page.css`. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Returns a file that exists. @throws if it cannot be read; the next call tries again. */
  async read(name: string): Promise<BuiltFile> {
    const known = this.#files.get(name);
    if (known) return known;
    const file = this.#load(name);
    this.#files.set(name, file);
    // The process may only have been short of descriptors.
    file.catch(() => this.#files.delete(name));
    return file;
  }

  async #load(name: string): Promise<BuiltFile> {
    const content = await readFile(new URL(name, this.#directory));
    const compressed = await promisify(gzip)(content, { level: 9 });
    return { type: TYPES[extname(name)] ?? "", content, compressed };
  }
}

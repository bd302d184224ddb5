import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { readModelFacts } from "../../src/demo/model-facts.ts";
import { writeHistory } from "../../src/demo/write-history.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { Dashboard, SECTIONS } from "./dashboard.ts";
import { openWatchedPage } from "./watched-page.ts";

/** The README shows one of the images, and should load quickly. */
const SIZE_MAX_BYTES = 300_000;
/** `npm run screenshots` sets the directory. Otherwise, the images are deleted after the test. */
const directory = process.env["SCREENSHOTS"];

test.each(["light", "dark"] as const)(
  "every page shows the week of the demo in %s mode, in a picture below 300 kB",
  async (colorScheme) => {
    const simulator = await startTestSimulator();
    const dataDir = createTemporaryDirectory();
    const keys = await writeHistory(dataDir, await readModelFacts(simulator.baseUrl), Date.now());
    const gateway = await startKeyedGateway(simulator.baseUrl, { DATA_DIR: dataDir });
    const origin = `http://127.0.0.1:${gateway.port}`;
    const dashboard = new Dashboard({ ...gateway, origin }, await openWatchedPage(origin, { colorScheme }));
    const { page } = dashboard;
    await dashboard.open();
    await dashboard.submitKey(keys.adminSecret);
    const images = directory ?? createTemporaryDirectory();
    mkdirSync(images, { recursive: true });
    for (const section of SECTIONS) {
      await dashboard.goTo(section);
      await dashboard.waitUntilLoaded();
      const path = join(images, `dashboard-${section.toLowerCase()}-${colorScheme}.png`);
      await page.screenshot({ path, animations: "disabled" });
      expect(statSync(path).size).toBeLessThan(SIZE_MAX_BYTES);
    }
  },
);

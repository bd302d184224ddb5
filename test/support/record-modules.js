// Preloaded with `--import`: writes the URL of every module that the process loads to standard error.
import { registerHooks } from "node:module";
import { writeSync } from "node:fs";

registerHooks({
  load(url, context, nextLoad) {
    writeSync(2, `loaded ${url}\n`);
    return nextLoad(url, context);
  },
});

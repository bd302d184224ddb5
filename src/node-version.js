// This file is JavaScript because an old Node version cannot load TypeScript. `npm start` preloads it (`node --import`),
// and `server.ts` imports it before all other modules.
const OLDEST_MAJOR = 26;

const major = Number(process.versions.node.split(".")[0]);
if (major < OLDEST_MAJOR) {
  process.stderr.write(
    `sluice needs Node ${OLDEST_MAJOR} or newer and this is ${process.version}: run "npm ci" and "npm start", which install and use the right version.\n`,
  );
  process.exit(78);
}

// Plain JavaScript on purpose: an old Node cannot even load the TypeScript that would tell it so. `npm start` preloads
// this file (`node --import`), and `server.ts` imports it before anything else.
const OLDEST_MAJOR = 26;

const major = Number(process.versions.node.split(".")[0]);
if (major < OLDEST_MAJOR) {
  process.stderr.write(
    `sluice needs Node ${OLDEST_MAJOR} or newer and this is ${process.version}: run "npm ci" and "npm start", which bring their own.\n`,
  );
  process.exit(78);
}

// The version first: the rest is imported only when this Node can run it.
import "./node-version.js";

const { main } = await import("./main.ts");
await main();

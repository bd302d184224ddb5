import { modelContract } from "./model-contract.ts";

modelContract(() => Promise.resolve(undefined));

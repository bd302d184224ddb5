/** How an application is configured for one run. */
export interface Setup {
  /** Origin of the gateway. */
  readonly gatewayUrl: string;
  readonly key: string;
  /** Model id with the prefix `openrouter/`. */
  readonly model: string;
  /** Directory for the configuration and the data of the application. */
  readonly home: string;
}

/** The part of a launch that differs between applications. */
export interface Configuration {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The number of POST requests that an application sends in a scenario, and the text that it shows at the end. */
export interface Reaction {
  readonly posts: number;
  readonly shows: string;
}

/** A program that people use with models. */
export interface Application {
  readonly name: string;
  /** Path of the program below `tools/clients`, as a glob pattern. */
  readonly program: string;
  /** Endpoint that the application uses, as in the ledger. */
  readonly endpoint: string;
  /** Model of the task. */
  readonly model: string;
  /** Whether its requests name a session. */
  readonly namesSession: boolean;
  /** Found in `Stage.readEvidence` when the application has performed its task. */
  readonly evidence: RegExp;
  /** POST requests of the task. */
  readonly posts: number;
  readonly wrongKey: Reaction;
  /** Reaction to a response that upstream aborts. `model` decides whether upstream aborts every response or only the first. */
  readonly brokenStream: Omit<Reaction, "posts"> & {
    readonly model: string;
    /** The possible numbers of POST requests, if they depend on which request upstream aborts. */
    readonly posts: readonly number[];
  };
  /** Writes the configuration files. @returns how to start the application so that it performs its task without a terminal. */
  configure(setup: Setup): Configuration;
}

/** Task of the applications that have tools. The simulator calls their shell tool with `echo hello`. */
export const TASK = "Run the command that prints hello.";
/** Part of the response to a request after the tool call. */
export const DONE = "¡olé!";

/** Message for an unknown key. */
export const UNKNOWN_KEY = "The API key of the request is unknown";

/** Aborts every response after four events. */
export const ALWAYS_BROKEN = "sim/cut:after=4";
/** Aborts the first response after four events. */
export const BROKEN_ONCE = "sim/flaky:cutAfter=4";

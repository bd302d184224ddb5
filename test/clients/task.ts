/** Task of the agents. The simulator calls their shell tool with `echo hello`. */
export const PROMPT = "Run the shell command that prints hello.";

/** Task of aider. The simulator responds with the task, and aider performs the edit that is in the response. */
export const EDIT = "notes.txt\n```\n<<<<<<< SEARCH\none\n=======\ntwo\n>>>>>>> REPLACE\n```\n";

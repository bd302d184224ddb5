/**
 * Makes a task run at most once at a time. Calls during a run share its result.
 * @param deadlineMs a run that takes longer has failed. Until it ends, further calls fail at once and start no other run.
 * @returns a function that starts a run, or joins the current one. It rejects with the error of the task, or after the deadline.
 */
export function createSingleRun<T>(task: () => T | Promise<T>, deadlineMs: number): () => Promise<T> {
  let current: Promise<T> | undefined;
  return () => (current ??= run(task, deadlineMs, () => (current = undefined)));
}

async function run<T>(task: () => T | Promise<T>, deadlineMs: number, onEnd: () => void): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no result after ${deadlineMs} ms`)), deadlineMs).unref();
  const result = Promise.try(task).finally(() => {
    clearTimeout(timer);
    onEnd();
  });
  return Promise.race([result, late]);
}

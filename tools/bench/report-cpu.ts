// Preloaded into a measured process. Replies to each message of the benchmark with the CPU time used so far.

process.on("message", () => process.send?.(process.cpuUsage()));
// The benchmark has ended or crashed. process.exit() is not used: it would wait for output that nobody reads.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

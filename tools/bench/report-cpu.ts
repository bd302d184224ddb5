// Preloaded into a measured process. Responds to each message with the CPU time used so far.

process.on("message", () => process.send?.(process.cpuUsage()));
// The benchmark has ended or crashed. Not exit(), which would wait for output that has no reader.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

/**
 * Loaded into each service by `node --import`: ends it when the demo is gone, even after kill -9,
 * which nobody can catch. The channel between the two processes closes with either of them.
 */
// Not gently: there is nobody left to read the log that a drain writes, and a service that dies in
// the middle of something loses nothing.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Listening must not keep a service alive that wants to end.
process.channel?.unref();

/**
 * Loaded into every process of a run by `node --import`: ends it when the harness is gone, even
 * after kill -9. The channel between the two closes with either of them.
 */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Listening must not keep a service alive that wants to end. Scripts that live on messages take it
// back with `process.channel.ref()`.
process.channel?.unref();

/** Every bound of the HTTP side, with its reason. */

/** An agent with all the metadata it may have fits many times. */
export const BODY_BYTES_MAX = 1024 * 1024;
/** A billing request is some 500 bytes. */
export const INTERNAL_BODY_BYTES_MAX = 64 * 1024;
/** An audit checkpoint of 500,000 agents. */
export const CHECKPOINT_BYTES_MAX = 64 * 1024 * 1024;
export const HEADER_BYTES_MAX = 16 * 1024;

/** A client that sends its head or its body slower than this is not one of ours (slowloris). */
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
export const TIMEOUT_CHECK_MS = 2_000;
/**
 * Longer than the idle time after which core's pool drops a connection, so that it is never us who
 * close it just when core sends a request.
 */
export const KEEP_ALIVE_MS = 72_000;
/** A socket without any traffic, e.g. a client that does not read its answer. */
export const SOCKET_IDLE_MS = 120_000;
/** Cores, operators and agents together; each connection costs memory. */
export const CONNECTIONS_MAX = 4_096;

/** Of a route that asks the wallet: as long as callers wait for the end of a payment. */
export const WALLET_MS_MAX = 10_000;

export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 100;
export const HOLDS_PAGE_MAX = 1_000;

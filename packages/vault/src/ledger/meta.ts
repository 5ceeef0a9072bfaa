/** What the table `meta` holds; nothing else may stand there. */
export const META_EPOCH = 'ledger_epoch';
export const META_AUDIT_KEY_ID = 'audit_key_id';
/** Absent in a ledger that was never restored. */
export const META_MODE = 'mode';

export type LedgerMode = 'normal' | 'recovery';

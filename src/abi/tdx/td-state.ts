/**
 * Life cycle of a TD (in its TDR).
 *
 * @source TDX module 1.5.25
 */
export const LIFECYCLE = { HKID_ASSIGNED: 0, KEYS_CONFIGURED: 1, BLOCKED: 2, TEARDOWN: 3 } as const;
export type Lifecycle = keyof typeof LIFECYCLE;

/**
 * Operation state of a TD (in its TDCS). The number is what OP_STATE_INCORRECT carries in its details.
 *
 * @source TDX module 1.5.25
 */
export const OP_STATE = {
  UNINITIALIZED: 0,
  INITIALIZED: 1,
  RUNNABLE: 2,
  LIVE_EXPORT: 3,
  PAUSED_EXPORT: 4,
  POST_EXPORT: 5,
  MEMORY_IMPORT: 6,
  STATE_IMPORT: 7,
  POST_IMPORT: 8,
  LIVE_IMPORT: 9,
  FAILED_IMPORT: 10,
  START_IMPORT: 11,
} as const;
export type OpState = keyof typeof OP_STATE;

/**
 * Page types of the physical-address metadata table.
 *
 * @source TDX module 1.5.25
 */
export const PAGE_TYPE = {
  NDA: 0, // free
  RSVD: 1,
  REG: 3,
  TDR: 4,
  TDCX: 5,
  TDVPR: 6,
  EPT: 8,
  PAMT: 15,
} as const;
export type PageType = keyof typeof PAGE_TYPE;

import { type Details, type Status, type StatusName, status } from "./status.ts";

/** Kinds of status that a leaf answers beside SUCCESS, each with the details it has as a rule. */
export type LeafStatuses = { readonly [name in StatusName]?: Details };

/** What every memory SEAMCALL answers about its TD handle, the TD's state, its operand and the walk. */
const MEMORY = {
  OPERAND_INVALID: "RCX",
  OPERAND_ADDR_RANGE_ERROR: "RDX",
  OPERAND_BUSY: "RCX",
  OPERAND_BUSY_HOST_PRIORITY: "RCX",
  PAGE_METADATA_INCORRECT: "RDX",
  TDCS_NOT_ALLOCATED: 0,
  TD_KEYS_NOT_CONFIGURED: 0,
  TD_FATAL: 0,
  LIFECYCLE_STATE_INCORRECT: 0,
  OP_STATE_INCORRECT: 0,
  EPT_WALK_FAILED: "RCX",
  EPT_ENTRY_STATE_INCORRECT: "RCX",
} as const satisfies LeafStatuses;

/** The same for leaves that take a host page in R8. */
const NEW_PAGE = { ...MEMORY, OPERAND_ADDR_RANGE_ERROR: "R8", PAGE_METADATA_INCORRECT: "R8" } as const;
/** The same for leaves that need the range blocked and tracked. */
const BLOCKED = { ...MEMORY, GPA_RANGE_NOT_BLOCKED: "RCX", TLB_TRACKING_NOT_DONE: "RCX" } as const;

/**
 * What each leaf can answer beside SUCCESS, for the leaves that a running TD and its host use.
 *
 * @source TDX module 1.5.25, the leaves' completion statuses; TDG.MEM.PAGE.RELEASE: OpenVMM tdcall crate
 */
export const LEAF_STATUSES = {
  "TDG.VP.INFO": {},
  "TDG.VM.RD": {
    OPERAND_INVALID: "RCX",
    METADATA_FIELD_ID_INCORRECT: 0,
    METADATA_FIELD_NOT_READABLE: 0,
    METADATA_FIRST_FIELD_ID_IN_CONTEXT: 0,
  },
  "TDG.VM.WR": {
    OPERAND_INVALID: "RCX",
    METADATA_FIELD_ID_INCORRECT: 0,
    METADATA_FIELD_NOT_WRITABLE: 0,
    METADATA_FIELD_VALUE_NOT_VALID: 0,
  },
  "TDG.MEM.PAGE.ACCEPT": {
    OPERAND_INVALID: "RCX",
    OPERAND_BUSY: "RCX",
    PAGE_ALREADY_ACCEPTED: 0,
    PAGE_SIZE_MISMATCH: 1,
  },
  "TDG.MEM.PAGE.RELEASE": {
    OPERAND_INVALID: "RCX",
    OPERAND_BUSY: "RCX",
    EPT_ENTRY_FREE: "RCX",
    EPT_ENTRY_STATE_INCORRECT: "RCX",
    PAGE_SIZE_MISMATCH: 0,
  },
  "TDH.VP.ENTER": {
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "RCX",
    OPERAND_BUSY: "RCX",
    OPERAND_BUSY_HOST_PRIORITY: "RCX",
    PAGE_METADATA_INCORRECT: "RCX",
    TD_KEYS_NOT_CONFIGURED: 0,
    TD_FATAL: 0,
    LIFECYCLE_STATE_INCORRECT: 0,
    OP_STATE_INCORRECT: 0,
    VCPU_STATE_INCORRECT: 0,
    VCPU_ASSOCIATED: 0,
    NON_RECOVERABLE_VCPU: 0,
    NON_RECOVERABLE_TD: 0,
    NON_RECOVERABLE_TD_NON_ACCESSIBLE: 0,
  },
  "TDH.MEM.SEPT.ADD": NEW_PAGE,
  "TDH.MEM.PAGE.AUG": NEW_PAGE,
  "TDH.MEM.RANGE.BLOCK": { ...MEMORY, GPA_RANGE_ALREADY_BLOCKED: "RCX" },
  "TDH.MEM.PAGE.DEMOTE": { ...BLOCKED, PAGE_METADATA_INCORRECT: "R8", INTERRUPTED_RESTARTABLE: 0 },
  "TDH.MEM.PAGE.REMOVE": BLOCKED,
  "TDH.MEM.TRACK": {
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "RCX",
    OPERAND_BUSY: "TD_EPOCH",
    OPERAND_BUSY_HOST_PRIORITY: "TD_EPOCH",
    PAGE_METADATA_INCORRECT: "RCX",
    PREVIOUS_TLB_EPOCH_BUSY: 0,
    TD_KEYS_NOT_CONFIGURED: 0,
    TD_FATAL: 0,
    LIFECYCLE_STATE_INCORRECT: 0,
    OP_STATE_INCORRECT: 0,
  },
  "TDH.PHYMEM.PAGE.WBINVD": {
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "RCX",
    OPERAND_BUSY: "RCX",
    OPERAND_BUSY_HOST_PRIORITY: "RCX",
    PAGE_METADATA_INCORRECT: "RCX",
  },
} as const satisfies { readonly [leaf: string]: LeafStatuses };
export type LeafWithStatuses = keyof typeof LEAF_STATUSES;

/** The packed status of a kind with the details that the leaf gives it as a rule; undefined if it never answers so. */
export const leafStatus = (leaf: LeafWithStatuses, name: StatusName): Status | undefined => {
  const statuses: LeafStatuses = LEAF_STATUSES[leaf];
  const details = statuses[name];
  return details === undefined ? undefined : status(name, details);
};

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

/** What every leaf answers that the host makes while it brings the module up. */
const EARLY = { SYS_BUSY: 0, SYS_SHUTDOWN: 0 } as const satisfies LeafStatuses;

/**
 * Leaves with which a host brings the module up.
 *
 * @source TDX module 1.5.25, completion statuses; Linux TDX Module Extensions series, 2026-06, for the last two, of which no source
 *   names other refusals than those of their operands
 */
const INITIALISATION = {
  "TDH.SYS.INIT": { ...EARLY, OPERAND_INVALID: "RCX", SYS_INIT_NOT_PENDING: 0 },
  "TDH.SYS.LP.INIT": { ...EARLY, SYS_LP_INIT_NOT_PENDING: 0, SYS_LP_INIT_DONE: 0 },
  "TDH.SYS.RD": {
    ...EARLY,
    SYS_NOT_READY: 0,
    METADATA_FIELD_ID_INCORRECT: 0,
    METADATA_FIELD_NOT_READABLE: 0,
  },
  "TDH.SYS.CONFIG": {
    ...EARLY,
    OPERAND_INVALID: "RCX",
    SYS_CONFIG_NOT_PENDING: 0,
    INVALID_TDMR: 0,
    NON_ORDERED_TDMR: 0,
    TDMR_OUTSIDE_CMRS: 0,
    INVALID_PAMT: 0,
    PAMT_OUTSIDE_CMRS: 0,
    PAMT_OVERLAP: 0,
    INVALID_RESERVED_IN_TDMR: 0,
    NON_ORDERED_RESERVED_IN_TDMR: 0,
  },
  "TDH.SYS.KEY.CONFIG": {
    ...EARLY,
    KEY_GENERATION_FAILED: 0,
    KEY_CONFIGURED: 0,
    SYS_KEY_CONFIG_NOT_PENDING: 0,
  },
  "TDH.SYS.TDMR.INIT": { ...EARLY, OPERAND_INVALID: "RCX", OPERAND_BUSY: "RCX", TDMR_ALREADY_INITIALIZED: 0 },
  "TDH.EXT.MEM.ADD": {
    ...EARLY,
    INTERRUPTED_RESUMABLE: 0,
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "NEW_PAGE_LIST_ENTRY",
    OPERAND_BUSY: "NEW_PAGE_LIST_ENTRY",
    PAGE_METADATA_INCORRECT: "NEW_PAGE_LIST_ENTRY",
  },
  "TDH.EXT.INIT": { ...EARLY, INTERRUPTED_RESUMABLE: 0, OPERAND_INVALID: "RAX" },
} as const satisfies { readonly [leaf: string]: LeafStatuses };

/** What every leaf answers that takes a TDR and a host page for a control structure, or needs neither more than the TDR. */
const CONTROL = {
  OPERAND_INVALID: "RCX",
  OPERAND_ADDR_RANGE_ERROR: "RCX",
  OPERAND_BUSY: "RCX",
  OPERAND_BUSY_HOST_PRIORITY: "RCX",
  PAGE_METADATA_INCORRECT: "RCX",
} as const satisfies LeafStatuses;
const OF_A_TD = {
  ...CONTROL,
  TD_KEYS_NOT_CONFIGURED: 0,
  TD_FATAL: 0,
  LIFECYCLE_STATE_INCORRECT: 0,
} as const satisfies LeafStatuses;
const OF_A_VCPU = {
  ...OF_A_TD,
  TDCS_NOT_ALLOCATED: 0,
  OP_STATE_INCORRECT: 0,
} as const satisfies LeafStatuses;

/**
 * Leaves with which a host makes a TD.
 *
 * @source TDX module 1.5.25, completion statuses
 */
const CREATION = {
  "TDH.MNG.CREATE": { ...CONTROL, HKID_NOT_FREE: 0, RND_NO_ENTROPY: 0 },
  "TDH.MNG.KEY.CONFIG": {
    ...CONTROL,
    TD_FATAL: 0,
    LIFECYCLE_STATE_INCORRECT: 0,
    KEY_GENERATION_FAILED: 0,
    RND_NO_ENTROPY: 0,
  },
  "TDH.MNG.ADDCX": { ...OF_A_TD, TDCX_NUM_INCORRECT: 0, OP_STATE_INCORRECT: 0 },
  "TDH.MNG.INIT": { ...OF_A_TD, TDCS_NOT_ALLOCATED: 0, OP_STATE_INCORRECT: 0 },
  "TDH.VP.CREATE": OF_A_VCPU,
  "TDH.VP.ADDCX": { ...OF_A_VCPU, VCPU_STATE_INCORRECT: 0, TDCX_NUM_INCORRECT: 0 },
  "TDH.VP.INIT": {
    ...OF_A_VCPU,
    VCPU_STATE_INCORRECT: 0,
    TDCX_NUM_INCORRECT: 0,
    MAX_VCPUS_EXCEEDED: 0,
    X2APIC_ID_NOT_UNIQUE: 0,
  },
  "TDH.MEM.PAGE.ADD": NEW_PAGE,
  "TDH.MR.EXTEND": MEMORY,
  "TDH.MR.FINALIZE": { ...OF_A_VCPU, NO_VCPUS: 0 },
} as const satisfies { readonly [leaf: string]: LeafStatuses };

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
  "TDG.MEM.PAGE.ATTR.RD": { OPERAND_INVALID: "RCX", OPERAND_BUSY: "RCX" },
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
  "TDH.PHYMEM.PAMT.ADD": {
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "RCX",
    OPERAND_BUSY: "RCX",
    HPA_RANGE_NOT_FREE: "RCX",
    PAGE_NOT_FREE: "RDX",
  },
  "TDH.PHYMEM.PAMT.REMOVE": {
    OPERAND_INVALID: "RCX",
    OPERAND_ADDR_RANGE_ERROR: "RCX",
    OPERAND_BUSY: "RCX",
    NO_PAMT_PAGE_PAIR: "RCX",
    PAMT_PAGE_NOT_EMPTY: 0,
  },
  ...INITIALISATION,
  ...CREATION,
} as const satisfies { readonly [leaf: string]: LeafStatuses };
export type LeafWithStatuses = keyof typeof LEAF_STATUSES;

/** The packed status of a kind with the details that the leaf gives it as a rule; undefined if it never answers so. */
export const leafStatus = (leaf: LeafWithStatuses, name: StatusName): Status | undefined => {
  const statuses: LeafStatuses = LEAF_STATUSES[leaf];
  const details = statuses[name];
  return details === undefined ? undefined : status(name, details);
};

import { TDH, type TdhLeaf } from "../abi/tdx/leaves.ts";
import { OP_STATE, type OpState } from "../abi/tdx/td-state.ts";

const BUILT: readonly OpState[] = ["INITIALIZED", "RUNNABLE", "LIVE_EXPORT"];
const EXPORTING: readonly OpState[] = ["PAUSED_EXPORT", "POST_EXPORT"];
const IMPORTING: readonly OpState[] = ["MEMORY_IMPORT", "STATE_IMPORT", "POST_IMPORT", "LIVE_IMPORT"];
const RANGE: readonly OpState[] = [...BUILT, ...EXPORTING, "POST_IMPORT", "LIVE_IMPORT"];
const ALIVE: readonly OpState[] = [...BUILT, ...EXPORTING, ...IMPORTING, "FAILED_IMPORT"];

/**
 * Operation states in which a host leaf may run.
 *
 * @source TDX module 1.5.25, operation-state table
 */
const ALLOWED: { readonly [leaf in TdhLeaf]?: readonly OpState[] } = {
  "TDH.VP.ENTER": ["RUNNABLE", "LIVE_EXPORT", "LIVE_IMPORT"],
  "TDH.MNG.ADDCX": ["UNINITIALIZED"],
  "TDH.MEM.PAGE.ADD": ["INITIALIZED"],
  "TDH.MEM.SEPT.ADD": [...BUILT, ...IMPORTING],
  "TDH.VP.ADDCX": ["INITIALIZED", "STATE_IMPORT"],
  "TDH.MEM.PAGE.RELOCATE": RANGE,
  "TDH.MEM.PAGE.AUG": [...BUILT, "LIVE_IMPORT"],
  "TDH.MEM.RANGE.BLOCK": RANGE,
  "TDH.VP.CREATE": ["INITIALIZED", "STATE_IMPORT"],
  "TDH.MEM.PAGE.DEMOTE": RANGE,
  "TDH.MR.EXTEND": ["INITIALIZED"],
  "TDH.MR.FINALIZE": ["INITIALIZED"],
  "TDH.MNG.INIT": ["UNINITIALIZED"],
  "TDH.VP.INIT": ["INITIALIZED"],
  "TDH.MEM.PAGE.PROMOTE": RANGE,
  "TDH.MEM.SEPT.RD": ALIVE,
  "TDH.MEM.PAGE.REMOVE": [...RANGE, "FAILED_IMPORT"],
  "TDH.MEM.SEPT.REMOVE": ALIVE,
  "TDH.MEM.TRACK": [...BUILT, ...EXPORTING, ...IMPORTING],
  "TDH.MEM.RANGE.UNBLOCK": RANGE,
};

const mask = (states: readonly OpState[]): number =>
  states.reduce((bits, state) => bits | (1 << OP_STATE[state]), 0);

/** By leaf number: bit n is set if the leaf may run in operation state n. */
export const OP_STATES_ALLOWED: Uint16Array = new Uint16Array(256);
for (const [leaf, states] of Object.entries(ALLOWED)) {
  OP_STATES_ALLOWED[TDH[leaf as TdhLeaf]] = mask(states);
}

const TRACKED = mask(["RUNNABLE", "LIVE_EXPORT", "LIVE_IMPORT"]);
/** Whether vCPUs may run in this operation state, so that blocking and tracking come before removal. */
export const needsTracking = (opState: number): boolean => ((TRACKED >> opState) & 1) === 1;

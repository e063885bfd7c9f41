import { SEPT_STATES, type SeptState } from "../abi/tdx/sept-entry.ts";

const LEAVES: readonly SeptState[] = SEPT_STATES.slice(3).filter((s) => s !== "REMOVED");
const BLOCKABLE: readonly SeptState[] = ["MAPPED", "BLOCKEDW", "PENDING", "PENDING_BLOCKEDW"];

/**
 * Entry states on which a leaf may act. Any other is EPT_ENTRY_STATE_INCORRECT, with the exceptions that the
 * leaf's own documentation names.
 *
 * @source TDX module 1.5.25, secure EPT state table
 */
export const SEPT_ALLOWED = {
  "TDH.MEM.PAGE.ADD": ["FREE"],
  "TDH.MEM.SEPT.ADD": ["FREE", "NL_MAPPED"],
  "TDH.MEM.PAGE.AUG": ["FREE", "REMOVED"],
  "TDH.MEM.RANGE.BLOCK": ["NL_MAPPED", ...BLOCKABLE],
  "TDH.MEM.PAGE.DEMOTE": ["MAPPED", "BLOCKED", "PENDING", "PENDING_BLOCKED"],
  "TDH.MEM.PAGE.PROMOTE": ["NL_MAPPED", "NL_BLOCKED"],
  "TDH.MEM.SEPT.RD": SEPT_STATES,
  "TDH.MEM.PAGE.REMOVE": [...BLOCKABLE, "BLOCKED", "PENDING_BLOCKED"],
  "TDH.MEM.SEPT.REMOVE": ["NL_MAPPED", "NL_BLOCKED"],
  "TDH.MEM.RANGE.UNBLOCK": ["NL_BLOCKED", "BLOCKED", "PENDING_BLOCKED"],
  "TDH.MEM.PAGE.RELOCATE": LEAVES,
} as const satisfies Record<string, readonly SeptState[]>;

/** One leaf's row as bytes: 1 where the state byte is allowed. */
export const septAllowed = (leaf: keyof typeof SEPT_ALLOWED): Uint8Array => {
  const states: readonly SeptState[] = SEPT_ALLOWED[leaf];
  return Uint8Array.from(SEPT_STATES, (state) => (states.includes(state) ? 1 : 0));
};

/** State byte after blocking, 0 where there is none. */
export const BLOCKED_STATE: Uint8Array = pairs({
  NL_MAPPED: "NL_BLOCKED",
  MAPPED: "BLOCKED",
  PENDING: "PENDING_BLOCKED",
});
/** State byte after unblocking; a state that is not blocked stays. */
export const UNBLOCKED_STATE: Uint8Array = Uint8Array.from(SEPT_STATES, (state, byte) => {
  const after = { NL_BLOCKED: "NL_MAPPED", BLOCKED: "MAPPED", PENDING_BLOCKED: "PENDING" } as const;
  return state in after ? SEPT_STATES.indexOf(after[state as keyof typeof after]) : byte;
});
/** 1 for the blocked states. */
export const IS_BLOCKED: Uint8Array = Uint8Array.from(SEPT_STATES, (state) =>
  state === "NL_BLOCKED" || state === "BLOCKED" || state === "PENDING_BLOCKED" ? 1 : 0,
);

function pairs(after: { readonly [before in SeptState]?: SeptState }): Uint8Array {
  return Uint8Array.from(SEPT_STATES, (state) => {
    const next = after[state];
    return next === undefined ? 0 : SEPT_STATES.indexOf(next);
  });
}

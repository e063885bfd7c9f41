/**
 * What module versions do differently, and what no source tells. Every field is a switch; the defaults are
 * version 1.5.25 where it has an answer, and the recommended reading of the documents where it has none.
 */
export interface ModuleBehaviour {
  /** Highest level that TDG.MEM.PAGE.ACCEPT takes: 1 in every source read, 2 to try a module that takes 1 GiB. */
  readonly acceptMaxLevel: 1 | 2;
  /** The same for TDG.MEM.PAGE.RELEASE. No source; inference: as ACCEPT. */
  readonly releaseMaxLevel: 0 | 1 | 2;
  /** TDG.MEM.PAGE.RELEASE in a TD without the PAGE_RELEASE flag. No source; inference: as an unknown leaf. */
  readonly releaseNotConfigured: "unknown-leaf" | "refuse-state";
  /** What a released page holds until it is accepted again. No source. */
  readonly releasedContent: "kept" | "scrambled";
  /** RELEASE of a blocked entry. No source; inference: wrong state, no TD exit. */
  readonly releaseBlocked: "state-incorrect" | "td-exit";
  /** TDH.MEM.RANGE.BLOCK of an accepted page in a TD with PAGE_RELEASE. The status is an inference. */
  readonly blockUnreleased: "refuse" | "allow";
  /** Operand that TDH.MEM.RANGE.UNBLOCK blames for missing tracking: SEPT_TREE in 1.5.01, RCX from 1.5.06 on. */
  readonly unblockTrackingOperand: "RCX" | "SEPT_TREE";
  /** CONFIG_FLAGS bits that TDH.MNG.INIT accepts. 1.5.25 has bits 0 to 4; PAGE_RELEASE needs bit 6. */
  readonly configFlagsAllowed: number;
  /** Versions of TDG.VP.VEINFO.GET: 0 in 1.5.01, 2 in 1.5.25. */
  readonly veInfoMaxVersion: 0 | 1 | 2;
  /** TD_CTLS bits that the module knows, low half: 1 in 1.5.01, 7 in 1.5.06, 15 in 1.5.25. */
  readonly tdCtlsKnown: number;
  /** Whether TD_CTLS.LOCK exists: from a version between 1.5.06 and 1.5.25 on. */
  readonly tdCtlsLock: boolean;
}

export const DEFAULT_BEHAVIOUR: ModuleBehaviour = {
  acceptMaxLevel: 1,
  releaseMaxLevel: 1,
  releaseNotConfigured: "unknown-leaf",
  releasedContent: "kept",
  releaseBlocked: "state-incorrect",
  blockUnreleased: "refuse",
  unblockTrackingOperand: "RCX",
  configFlagsAllowed: 0x5f,
  veInfoMaxVersion: 2,
  tdCtlsKnown: 0xf,
  tdCtlsLock: true,
};

/** States of a Linux memory block of a device in sub-block mode. A partial state is the full one plus 1. */
export const SBM_STATES = [
  "UNUSED",
  "PLUGGED",
  "OFFLINE",
  "OFFLINE_PARTIAL",
  "KERNEL",
  "KERNEL_PARTIAL",
  "MOVABLE",
  "MOVABLE_PARTIAL",
] as const;
export type SbmState = (typeof SBM_STATES)[number];
export const SBM = {
  /** Not plugged, not added to Linux. */
  UNUSED: 0,
  /** Plugged at least in part but not added: what an error left behind. */
  PLUGGED: 1,
  OFFLINE: 2,
  OFFLINE_PARTIAL: 3,
  KERNEL: 4,
  KERNEL_PARTIAL: 5,
  MOVABLE: 6,
  MOVABLE_PARTIAL: 7,
} as const satisfies Record<SbmState, number>;

/** States of a device in big-block mode, where only whole blocks are plugged. */
export const BBM_STATES = ["UNUSED", "PLUGGED", "ADDED", "FAKE_OFFLINE"] as const;
export type BbmState = (typeof BBM_STATES)[number];
export const BBM = { UNUSED: 0, PLUGGED: 1, ADDED: 2, FAKE_OFFLINE: 3 } as const satisfies Record<
  BbmState,
  number
>;

type Edges<S extends string> = { readonly [before in S]?: S };

/**
 * What happens to a memory block in sub-block mode: state before, state after. A missing pair cannot happen
 * in a correct kernel, which stops with BUG there.
 */
const SBM_NEXT = {
  "plugged in full, to be added": { UNUSED: "OFFLINE" },
  "plugged in part, to be added": { UNUSED: "OFFLINE_PARTIAL" },
  "add failed, unplugged": { OFFLINE: "UNUSED", OFFLINE_PARTIAL: "UNUSED" },
  "add failed, not unplugged": { OFFLINE: "PLUGGED", OFFLINE_PARTIAL: "PLUGGED" },
  "leftover unplugged": { PLUGGED: "UNUSED" },
  "online to a kernel zone": { OFFLINE: "KERNEL", OFFLINE_PARTIAL: "KERNEL_PARTIAL" },
  "online to MOVABLE": { OFFLINE: "MOVABLE", OFFLINE_PARTIAL: "MOVABLE_PARTIAL" },
  offline: {
    KERNEL: "OFFLINE",
    MOVABLE: "OFFLINE",
    KERNEL_PARTIAL: "OFFLINE_PARTIAL",
    MOVABLE_PARTIAL: "OFFLINE_PARTIAL",
  },
  "last sub-block plugged": {
    OFFLINE_PARTIAL: "OFFLINE",
    KERNEL_PARTIAL: "KERNEL",
    MOVABLE_PARTIAL: "MOVABLE",
  },
  "sub-block unplugged": {
    OFFLINE: "OFFLINE_PARTIAL",
    OFFLINE_PARTIAL: "OFFLINE_PARTIAL",
    KERNEL: "KERNEL_PARTIAL",
    KERNEL_PARTIAL: "KERNEL_PARTIAL",
    MOVABLE: "MOVABLE_PARTIAL",
    MOVABLE_PARTIAL: "MOVABLE_PARTIAL",
  },
  removed: { OFFLINE_PARTIAL: "UNUSED" },
} as const satisfies Record<string, Edges<SbmState>>;
export type SbmEvent = keyof typeof SBM_NEXT;
export const SBM_EVENTS = Object.keys(SBM_NEXT) as readonly SbmEvent[];

/** The same for a big block. */
const BBM_NEXT = {
  "plugged, to be added": { UNUSED: "ADDED" },
  "add failed, unplugged": { ADDED: "UNUSED" },
  "add failed, not unplugged": { ADDED: "PLUGGED" },
  "leftover unplugged": { PLUGGED: "UNUSED" },
  "unplug begins": { ADDED: "FAKE_OFFLINE" },
  "unplug given up": { FAKE_OFFLINE: "ADDED" },
  unplugged: { FAKE_OFFLINE: "UNUSED" },
  "removed, not unplugged": { FAKE_OFFLINE: "PLUGGED" },
} as const satisfies Record<string, Edges<BbmState>>;
export type BbmEvent = keyof typeof BBM_NEXT;
export const BBM_EVENTS = Object.keys(BBM_NEXT) as readonly BbmEvent[];

export const REFUSED = 0xff;

const row = <S extends string>(states: readonly S[], edges: Edges<S>): Uint8Array =>
  Uint8Array.from(states, (before) => {
    const after = edges[before];
    return after === undefined ? REFUSED : states.indexOf(after);
  });

/** One event's row as bytes: index it by the state before, get the state after or REFUSED. */
export const sbmNext = (event: SbmEvent): Uint8Array => row<SbmState>(SBM_STATES, SBM_NEXT[event]);
export const bbmNext = (event: BbmEvent): Uint8Array => row<BbmState>(BBM_STATES, BBM_NEXT[event]);

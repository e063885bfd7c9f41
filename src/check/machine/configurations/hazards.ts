import type { InvariantId } from "../../../machine/invariants/table.ts";
import type { PROGRESS } from "../progress.ts";
import { LIMITS } from "./limits.ts";
import type { SignId } from "./signs.ts";

/** A hazard that reviewers saw in a design, and how it shows. */
export interface Hazard {
  readonly id: string;
  readonly says: string;
  /** Standard configuration in which it can show; absent: this checker cannot show it. */
  readonly config?: string;
  /**
   * Rules of which it breaks one, or a sign that it shows; "progress": what is begun ends. A panic or the end of the TD always
   * counts; "end" alone means nothing else does.
   */
  readonly rules?: readonly (InvariantId | "end" | typeof PROGRESS | SignId)[];
  /** Why it is not searched for. */
  readonly why?: string;
}

/**
 * The hazards of the second posted series, by number.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", 2026-06-23, and its review
 */
export const HAZARDS: readonly Hazard[] = [
  {
    id: "H1",
    says: "add_memory() marks the whole block plugged, so a guard accepts an unplugged unit",
    config: "grow-shrink",
    rules: ["I2", "I11"],
  },
  {
    id: "H2",
    says: "a unit that is plugged above memory in use is mapped and not accepted",
    config: "two-blocks",
    rules: ["I1", "I10"],
  },
  {
    id: "H3",
    says: "a unit is released and unplugged below which memory stays in use and mapped",
    config: "sub-blocks",
    rules: ["I10"],
  },
  {
    id: "H4",
    says: "an add that fails leaves the guard of its memmap accepted, and a later one trusts it",
    config: "dimm-memmap-fails-no-release",
    rules: ["I1", "I8"],
  },
  {
    id: "H5",
    says: "without PAGE_RELEASE memory is marked unaccepted that hardware has accepted",
    config: "replug-no-release-kept",
    rules: ["I3", "I6"],
  },
  {
    id: "H6",
    says: "memory lies outside the table's window, and what is plugged counts as accepted",
    config: "outside-table",
    rules: ["I1", "I8", "I18"],
  },
  {
    id: "H6b",
    says: "memory lies where the table's last byte has bits that nobody has set, and counts as accepted",
    config: "table-end",
    rules: ["I1", "I8", "I18"],
  },
  {
    id: "H7",
    says: "a region is not whole units, and what an earlier kernel had of it is not released",
    config: "kexec-odd-region",
    rules: ["I32"],
  },
  {
    id: "H8",
    says: "a sub-block in the upper half of a listed chunk is busy",
    config: "odd-half",
    rules: ["busy"],
  },
  {
    id: "H9",
    says: "offlining accepts everything first",
    config: "dimm",
    rules: ["accept first"],
  },
  {
    id: "H10",
    says: "big blocks lose their plugged bits before the device answers",
    config: "big-blocks-busy",
    rules: ["I15"],
  },
  {
    id: "H11",
    says: "a release holds a spinlock, however long it takes",
    config: "replug",
    rules: ["spinlock"],
  },
  { id: "H12", says: "the first removal on SNP panics", config: "snp-dimm", rules: ["end"] },
  {
    id: "H13",
    says: "SRAT bits lie over boot memory, and a kexec's decompressor believes them",
    config: "kexec-srat-over-ram",
    rules: ["I3"],
  },
  {
    id: "H14",
    says: "a release skips a unit that an accept is taking as its guard",
    config: "accept-below-offline",
    rules: ["I5", "I6", "I7", "I8", "I32"],
  },
  {
    id: "H15",
    says: "a unit is unplugged between an accept's look at the bits and its TDCALL",
    config: "accept-below-offline",
    rules: ["I2"],
  },
  {
    id: "H16",
    says: "a kexec hands plugged memory over as boot memory",
    config: "kexec-dimm-as-ram",
    rules: ["I1", "I3", "I6", "I8", "I40"],
  },
  {
    id: "H17",
    says: "memory is shared at the time of its unplug",
    config: "convert-refused",
    rules: ["I31", "I38"],
  },
  {
    id: "H18",
    says: "after an unplug that failed, memory is accepted with a guard that is not plugged",
    config: "unplug-busy",
    rules: ["I2", "I11"],
  },
];

/** What another kernel finds that is started in the midst of something. Any design may be asked. */
export const AMID: readonly Hazard[] = [
  {
    id: "K1",
    says: "a kexec amid an accept finds memory accepted whose bit says that it is not",
    config: "accepts-meet",
    rules: ["kexec"],
  },
  {
    id: "K2",
    says: "a kexec amid a plug or an unplug finds bits that hardware belies",
    config: "replug",
    rules: ["kexec"],
  },
  {
    id: "K3",
    says: "the dump of a kernel that crashed amid a plug or an unplug reads what is not accepted",
    config: "sub-blocks",
    rules: ["crash"],
  },
];

/** What is searched for in a design: its own limits, or else the hazards of `bitmaps`; and kernels that are started amid them. */
export const hazardsOf = (design: string): readonly Hazard[] => [...(LIMITS.get(design) ?? HAZARDS), ...AMID];

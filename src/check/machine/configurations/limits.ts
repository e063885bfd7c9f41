import type { Hazard } from "./hazards.ts";

/**
 * What its author and its reviewers say that the first posted series does not do, and what was inferred from it.
 *
 * @source "[RFC PATCH 0/6] Support virtio-mem memory hotplug in TDX guests", 2026-06-04: cover letter, patches 3 to 5, review
 */
const CALLBACKS: readonly Hazard[] = [
  {
    id: "C1",
    says: "an accept that fails after the plug breaks the device, and the VMM's memory is lost",
    config: "accept-fails",
    rules: ["I34"],
  },
  {
    id: "C2",
    says: "without PAGE_RELEASE nothing is released, and the accept after the next plug is a second one",
    config: "replug-no-release-kept",
    rules: ["I3"],
  },
  {
    id: "C3",
    says: "UNPLUG_ALL is not covered: what an earlier kernel accepted stays accepted",
    config: "kexec-kept",
    rules: ["I3"],
  },
  { id: "C4", says: "ACPI is not covered: a DIMM is never accepted", config: "dimm", rules: ["I1"] },
  {
    id: "C5",
    says: "a unit is released and unplugged below which memory stays in use and mapped",
    config: "sub-blocks",
    rules: ["I10"],
  },
  {
    id: "C6",
    says: "a release that fails is not taken back",
    config: "release-fails",
    rules: ["I21", "I33"],
  },
  {
    id: "C7",
    says: "an unplug that the VMM refuses leaves memory released",
    config: "unplug-busy",
    rules: ["I21", "I33"],
  },
  {
    id: "C8",
    says: "memory that could not be shared, for it was not released first, is given back all the same",
    config: "convert-refused",
    rules: ["I31", "I38"],
  },
  { id: "C9", says: "acceptance is never lazy, which defeats over-commit", why: "a cost; compare shows it" },
  {
    id: "C10",
    says: "a second registration of a callback panics",
    why: "one platform registers them, once",
  },
];

/**
 * The same of the notifier.
 *
 * @source "x86/tdx: Fix memory hotplug in TDX guests", 2026-03 and 2026-04, its review; the cover letter of the series after it
 */
const NOTIFIER: readonly Hazard[] = [
  {
    id: "N1",
    says: "sub-blocks that are not plugged are accepted with their block",
    config: "grow-shrink",
    rules: ["I2"],
  },
  {
    id: "N2",
    says: "where the VMM gives no memory to what is not plugged, onlining ends the TD",
    config: "unplugged-kills",
    rules: ["end"],
  },
  {
    id: "N3",
    says: "memory that the VMM kept is accepted a second time",
    config: "replug-no-release-kept",
    rules: ["I3"],
  },
  {
    id: "N4",
    says: "memory that the VMM kept is read with what it held",
    why: "whoever gets memory here writes it first; scenario notifier-stale shows it",
  },
  {
    id: "N5",
    says: "a block that goes offline and online again is accepted a second time",
    config: "by-hand",
    rules: ["I3"],
  },
  {
    id: "N6",
    says: "a block that is mapped and not online yet is no guard for the one below",
    config: "two-blocks",
    rules: ["I10"],
  },
  {
    id: "N7",
    says: "nothing is released before its unplug",
    config: "replug",
    rules: ["I32"],
  },
  {
    id: "N8",
    says: "a sub-block that is plugged again into a block that stayed online is used unaccepted",
    config: "replug-no-release",
    rules: ["I1", "I21"],
  },
  {
    id: "N9",
    says: "what an earlier kernel accepted is accepted a second time",
    config: "kexec-kept",
    rules: ["I3"],
  },
];

/** Known limits by design. */
export const LIMITS: ReadonlyMap<string, readonly Hazard[]> = new Map([
  ["callbacks", CALLBACKS],
  ["notifier", NOTIFIER],
  ["notifier-strict", NOTIFIER],
]);

// What docs/field-reports.md says in tables, made from what `tidemark run --json` answers. Pure: text and documents in,
// text out.

import { table, withParts } from "./made-parts.mjs";

export const FIELD_PATH = "docs/field-reports.md";

const BRING_UP = "field/dstack-1220-bring-up";
const EAGER = "field/kata-13535-eager-64g";
const PARALLEL = "field/asterinas-3640-accept-8g";
const LAZY = "field/asterinas-3641-lazy-8g";
const GIB = 2 ** 30;
const KIB = 2 ** 10;

/** What was reported of the TD that takes ten minutes: its vCPUs, and nanoseconds of a fault early and late. */
const REPORTED = { vcpus: 248, firstFaultNs: 8000, lastFaultNs: 153_000 };
const VCPUS = [8, 64, 248];
const SIZES = [4, 16, 64, 128];
const POINTS = 8;
/** What was reported of 8 GiB accepted at boot: seconds by vCPUs. */
const ACCEPTED_AT_BOOT = [
  { vcpus: 1, seconds: 25 },
  { vcpus: 4, seconds: 12 },
  { vcpus: 8, seconds: 9 },
];
/** GiB of free memory whose moments the curve of such a boot shows. */
const MARKS = [2, 3, 4, 5, 6, 7];

const run = (scenario, ...set) => ({ scenario, set });
export const keyOf = ({ scenario, set }) => [scenario, ...set].join(" ");

const bringUp = (vcpus) => run(BRING_UP, `machine.vcpus=${vcpus}`);
const withoutFix = (vcpus) => run(BRING_UP, `machine.vcpus=${vcpus}`, "guest.revert=[B8]");
const boot = (gib, accept) => run(EAGER, `machine.memory=${gib}G`, `guest.accept=${accept}`);

const parallel = (vcpus) => run(PARALLEL, `machine.vcpus=${vcpus}`);
const lazily = (vcpus, size = "4M") => run(LAZY, `machine.vcpus=${vcpus}`, `steps[2].allocate.size=${size}`);
const USES_MOST = "6G";

/** Every run that the document is made from. */
export const runs = () => [
  ...VCPUS.flatMap((vcpus) => [bringUp(vcpus), withoutFix(vcpus)]),
  ...SIZES.flatMap((gib) => [boot(gib, "lazy"), boot(gib, "eager")]),
  ...ACCEPTED_AT_BOOT.map(({ vcpus }) => parallel(vcpus)),
  ...ACCEPTED_AT_BOOT.map(({ vcpus }) => lazily(vcpus)),
  lazily(1, USES_MOST),
];

const seconds = (ns) => `${(ns / 1e9).toFixed(1)} s`;
const gib = (bytes) => `${(bytes / GIB).toFixed(1)} GiB`;
const unaccepted = ({ counters }) => counters.Unaccepted * KIB;

/** Bytes that bring-up accepted, which the same boot without the fix of B8 does not. */
const acceptedAtBringUp = (result, vcpus) =>
  unaccepted(result(withoutFix(vcpus))) - unaccepted(result(bringUp(vcpus)));

/** The boot if the cost of a fault grew with every vCPU as reported: so much more for each exit, on average. */
const withGrowingFaults = (result, vcpus) => {
  const faults = acceptedAtBringUp(result, vcpus) / 4096;
  const { firstFaultNs, lastFaultNs } = REPORTED;
  const mean = ((lastFaultNs - firstFaultNs) * (vcpus / REPORTED.vcpus)) / 2;
  return result(bringUp(vcpus)).cost.virtualNs + faults * mean;
};

export const bringUpOf = (result) =>
  VCPUS.map((vcpus) => {
    const report = result(bringUp(vcpus));
    return {
      vcpus,
      accepted: acceptedAtBringUp(result, vcpus),
      exits: report.cost.exits,
      bootNs: report.cost.virtualNs,
      growingNs: withGrowingFaults(result, vcpus),
    };
  });

const bringUpTable = (result) =>
  table(
    ["vCPUs", "accepted while they come up", "TD exits", "boot", "boot, if faults cost more with each vCPU"],
    bringUpOf(result).map(({ vcpus, accepted, exits, bootNs, growingNs }) => [
      vcpus,
      gib(accepted),
      exits,
      seconds(bootNs),
      seconds(growingNs),
    ]),
  );

/** The curve of unaccepted memory at some moments: the first, and then at equal distances to the last. */
const curveTable = ({ curves: { ns, counters } }) => {
  // Before its zones are made a kernel counts nothing.
  const first = counters.Unaccepted.findIndex((kib) => kib > 0);
  const span = ns.length - 1 - first;
  const places = Array.from(
    { length: POINTS + 1 },
    (_, point) => first + Math.round((span * point) / POINTS),
  );
  return table(
    ["virtual time", "unaccepted"],
    places.map((place) => [seconds(ns[place]), gib(counters.Unaccepted[place] * KIB)]),
  );
};

export const eagerOf = (result) =>
  SIZES.map((size) => ({
    size,
    lazyNs: result(boot(size, "lazy")).cost.virtualNs,
    eagerNs: result(boot(size, "eager")).cost.virtualNs,
  }));

const eagerTable = (result) =>
  table(
    ["memory", "lazy", "eager", "eager over lazy"],
    eagerOf(result).map(({ size, lazyNs, eagerNs }) => [
      `${size} GiB`,
      seconds(lazyNs),
      seconds(eagerNs),
      (eagerNs / lazyNs).toFixed(1),
    ]),
  );

/** A boot that accepts all memory, by vCPUs: as reported, as played, and what of it every vCPU shares. */
export const parallelOf = (result) =>
  ACCEPTED_AT_BOOT.map(({ vcpus, seconds: reported }) => {
    const bootNs = result(parallel(vcpus)).cost.virtualNs;
    const { endNs: lazyNs } = result(lazily(vcpus)).played[0];
    return { vcpus, reportedNs: reported * 1e9, bootNs, lazyNs };
  });

const parallelTable = (result) =>
  table(
    ["vCPUs", "reported", "here", "a lazy boot here"],
    parallelOf(result).map(({ vcpus, reportedNs, bootNs, lazyNs }) => [
      vcpus,
      `${reportedNs / 1e9} s`,
      seconds(bootNs),
      seconds(lazyNs),
    ]),
  );

/** When so much memory was in the allocator, by the curve of free memory. */
const moment = ({ curves: { ns, counters } }, mark) => {
  const place = counters.MemFree.findIndex((kib) => kib * KIB >= mark * GIB);
  return place < 0 ? "-" : seconds(ns[place]);
};

const parallelCurve = (result) =>
  table(
    ["free memory", ...ACCEPTED_AT_BOOT.map(({ vcpus }) => `${vcpus} ${vcpus === 1 ? "vCPU" : "vCPUs"}`)],
    MARKS.map((mark) => [
      `${mark} GiB`,
      ...ACCEPTED_AT_BOOT.map(({ vcpus }) => moment(result(parallel(vcpus)), mark)),
    ]),
  );

/** Looks a run up by its key. */
export const lookUp = (results) => (one) => {
  const found = results.get(keyOf(one));
  if (found === undefined) throw new Error(`nothing is known of ${keyOf(one)}`);
  return found;
};

export const fieldDocument = (text, results) => {
  const result = lookUp(results);
  return withParts(FIELD_PATH, text, {
    "bring-up": bringUpTable(result),
    curve: curveTable(result(bringUp(REPORTED.vcpus))),
    eager: eagerTable(result),
    parallel: parallelTable(result),
    "parallel-curve": parallelCurve(result),
    "lazy-curve": curveTable(result(lazily(1, USES_MOST))),
  });
};

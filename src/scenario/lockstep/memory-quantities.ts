import { MIB } from "../../units.ts";
import { formatSize } from "../quantity.ts";
import type { Scenario } from "../scenario.ts";
import { type Area, areaOf, BOOT_RAM, hotplugOwners } from "./areas.ts";
import { shrinks } from "./device-quantities.ts";
import { type Both, type Finding, type Pair, type Quantity, unlessSame } from "./quantity.ts";
import type { Sight } from "./sight.ts";

const KIB = 1024;

/**
 * What a kernel uses by itself between two steps, page cache and the like, and so accepts or not: 34 MiB were the most
 * that was seen.
 */
const OWN_USE = 64 * MIB;
/** Chunks that a kernel accepts at a time, some of them: it was short of memory and not just unlucky. */
const SHORT_OF_MEMORY = 32 * MIB;

const bytesUnless = (about: string, bound: number, { model, linux }: Both<number>): Finding[] =>
  Math.abs(model - linux) <= bound ? [] : [{ about, model: formatSize(model), linux: formatSize(linux) }];

/** Compares memory that comes and goes, owner by owner. */
const perOwner =
  (compare: (owner: string, areas: Both<Area>, pair: Pair) => readonly Finding[]) =>
  (pair: Pair): Finding[] =>
    hotplugOwners(pair.model, pair.linux).flatMap((owner) => {
      if (shrinks(pair, owner)) return [];
      return compare(owner, { model: areaOf(pair.model, owner), linux: areaOf(pair.linux, owner) }, pair);
    });

/** Whether nothing of an owner's memory is left to be accepted when it is used: then no choice is left either. */
const isDecided = ({ unacceptedPlugged }: Area): boolean => unacceptedPlugged === 0;

/** Whether memory is allocated on the node of whichever CPU it happens on, and there are several. */
const isOfAnyNode = ({ machine, steps }: Scenario): boolean =>
  machine.nodes > 1 &&
  steps.some((step) => step.kind === "pressure" || (step.kind === "allocate" && step.node === null));

/**
 * Of memory that is accepted when it is used, how much is depends on the allocator within a bound, and on the scheduler
 * if that says whose; of other memory it does not.
 */
const compareAccepted = perOwner((owner, { model, linux }, { scenario }) => {
  const isSure = isDecided(model) && isDecided(linux);
  if (!isSure && isOfAnyNode(scenario)) return [];
  const bound = isSure ? 0 : OWN_USE;
  return bytesUnless(owner, bound, { model: model.acceptedPlugged, linux: linux.acceptedPlugged });
});

/**
 * What is said of memory that is not plugged: where one world has left nothing behind, neither may the other. What is
 * left behind was once accepted in use.
 */
const compareLeft = (left: (area: Area) => number) =>
  perOwner((owner, { model, linux }) => {
    const values = { model: left(model), linux: left(linux) };
    return bytesUnless(owner, values.model === 0 || values.linux === 0 ? 0 : OWN_USE, values);
  });

/** Bits that are clear though nothing is plugged there. */
const staleBits = ({ unplugged, unacceptedUnplugged }: Area): number => unplugged - unacceptedUnplugged;

const hasTable = ({ model, linux }: Pair): boolean => model.bitmaps !== null && linux.bitmaps !== null;

const tableFact =
  (show: (table: NonNullable<Sight["bitmaps"]>) => string) =>
  ({ model, linux }: Pair): Finding[] =>
    model.bitmaps === null || linux.bitmaps === null
      ? []
      : unlessSame("", show(model.bitmaps), show(linux.bitmaps));

const kb = (sight: Sight, name: string): number => (sight.counters.get(name) ?? 0) * KIB;
const acceptedAndFree = (sight: Sight): number => kb(sight, "MemFree") - kb(sight, "Unaccepted");

/** With accept_memory=eager nothing is unaccepted once the kernel is up, unless memory came later. */
const compareEager = (pair: Pair): Finding[] => {
  const { scenario, model, linux } = pair;
  const came = hotplugOwners(model, linux).some((owner) => areaOf(model, owner).plugged > 0);
  if (scenario.guest.accept !== "eager" || came) return [];
  return bytesUnless("", 0, { model: kb(model, "Unaccepted"), linux: kb(linux, "Unaccepted") });
};

/** Whether the kernel accepted boot memory since the step before because it was short of accepted memory. */
const wasShort = (now: Sight, before: Sight): boolean =>
  areaOf(before, BOOT_RAM).unacceptedPlugged - areaOf(now, BOOT_RAM).unacceptedPlugged >= SHORT_OF_MEMORY;

/**
 * A kernel that has to accept memory accepts up to a watermark, so after a step in which both had to, both have the same
 * left of it. Before that, what boot accepted and freed again is left, which is the kernel's own. With several nodes one may
 * be short and another not.
 */
const compareReserve = ({ scenario, model, linux, before, booted }: Pair): Finding[] => {
  const hasJustStarted = booted?.linux === linux;
  if (
    before === undefined ||
    hasJustStarted ||
    scenario.machine.nodes > 1 ||
    !wasShort(model, before.model) ||
    !wasShort(linux, before.linux)
  )
    return [];
  return bytesUnless("", OWN_USE, { model: acceptedAndFree(model), linux: acceptedAndFree(linux) });
};

/** What is accepted, and what the kernel's table says of it. */
export const MEMORY_QUANTITIES: readonly Quantity[] = [
  {
    name: "unaccepted table",
    bound: 0,
    compare: ({ model, linux }) =>
      unlessSame("", model.bitmaps === null ? "none" : "there", linux.bitmaps === null ? "none" : "there"),
  },
  { name: "table version", bound: 0, compare: tableFact(({ version }) => String(version)) },
  { name: "unit size", bound: 0, compare: tableFact(({ unitSize }) => formatSize(unitSize)) },
  {
    name: "plugged bits",
    bound: 0,
    compare: perOwner((owner, { model, linux }, pair) =>
      hasTable(pair) ? bytesUnless(owner, 0, { model: model.pluggedBit, linux: linux.pluggedBit }) : [],
    ),
  },
  { name: "accepted memory", bound: OWN_USE, compare: compareAccepted },
  {
    name: "accepted memory that is not plugged",
    bound: OWN_USE,
    compare: compareLeft((area) => area.acceptedUnplugged),
  },
  {
    name: "clear unaccepted bits of memory that is not plugged",
    bound: OWN_USE,
    compare: (pair) => (hasTable(pair) ? compareLeft(staleBits)(pair) : []),
  },
  { name: "Unaccepted", bound: 0, compare: compareEager },
  {
    name: "accepted and free memory after the kernel was short of it",
    bound: OWN_USE,
    compare: compareReserve,
  },
];

import { GIB, MIB } from "../../units.ts";
import {
  AUTO_ONLINE,
  type Deed,
  type MachineConfiguration,
} from "../machine/configurations/configuration.ts";
import { deviceUnits, dimmUnits } from "../machine/configurations/placement.ts";
import { type ForcedStory, NotForcible } from "./forced-deeds.ts";
import type { Hold, Move } from "./forced-threads.ts";
import type { GoesOn, HeldAt, ScheduledStep } from "./schedule.ts";

/** A memory block of a real kernel on a machine of this size, bytes. */
const BLOCK = 128 * MIB;
/** Boot memory lies below 4 GiB, and the window of devices begins there. */
const MEMORY = 1 * GIB;
const WINDOW = 4 * GIB;
const FIRST_BLOCK = WINDOW / BLOCK;
const DEVICE = "vm0";
/** Units of a chunk of the story's page allocator. Whoever takes one of them has all accepted; a real block is many chunks. */
const CHUNK_UNITS = 2;
/** Longer than the driver's timer runs at first. */
const TIMER = "60s";

/**
 * Calls that a real kernel makes for hotplug alone, so that the first of the story is the first there.
 *
 * @missing others: a real kernel makes them at its boot as well, as often as it likes
 */
const HOTPLUG_CALLS: ReadonlySet<string> = new Set([
  "TDG.MEM.PAGE.RELEASE",
  "virtio-mem PLUG",
  "virtio-mem UNPLUG",
  "ACPI _EJ0",
  "ACPI _OST",
  "arch_add_memory",
  "create_memory_block_devices",
  "register_memory_resource",
  "MEM_GOING_ONLINE",
  "MEM_GOING_OFFLINE",
]);

/** Bytes that a unit of the story stands for: so many that a memory block is a real one. */
const unitOf = ({ blockUnits }: MachineConfiguration): number => BLOCK / blockUnits;

const dimmOf = ({ slot = 0 }: Deed & { readonly do: "plug" | "unplug" }): object => ({ dimm: `dimm${slot}` });

/** Allocations get names of their own; what is freed by a name are all that were made under it. */
class StepText {
  private readonly configuration: MachineConfiguration;
  private readonly wholeChunks: boolean;
  private readonly names = new Map<string, string[]>();

  /** @param wholeChunks allocations take as much as the story's have accepted: who meets them there is held for that */
  constructor(configuration: MachineConfiguration, wholeChunks: boolean) {
    this.configuration = configuration;
    this.wholeChunks = wholeChunks;
  }

  /** Steps of a scenario that do what a deed does. @throws NotForcible for what the linux world does not do */
  of(deed: Deed | "wait"): readonly unknown[] {
    const unit = unitOf(this.configuration);
    if (deed === "wait") return [{ wait: TIMER }];
    switch (deed.do) {
      case "resize":
        return [{ resize: { device: DEVICE, to: deed.to * unit } }];
      case "plug":
        return [
          {
            plug: {
              ...dimmOf(deed),
              ...(deed.slot !== undefined && { slot: deed.slot }),
              size: dimmUnits(this.configuration) * unit,
            },
          },
        ];
      case "unplug":
        return [{ unplug: dimmOf(deed) }];
      case "kexec":
        return [deed.syscall === undefined ? "kexec" : { kexec: { syscall: deed.syscall } }];
      case "allocate":
        return this.allocate(deed);
      case "free":
        return this.freed(deed.as);
      case "online":
      case "offline":
        return [{ [deed.do]: { block: FIRST_BLOCK + deed.block } }];
      case "read":
        return [{ read: { across: this.address(deed.across) } }];
      default:
        return this.freed(deed.as, deed.do);
    }
  }

  private allocate({ as, units, pinned }: Deed & { readonly do: "allocate" }): readonly unknown[] {
    const names = this.names.get(as) ?? [];
    const name = `${as.replaceAll(" ", "-")}-${names.length + 1}`;
    this.names.set(as, [...names, name]);
    const taken = this.wholeChunks ? Math.ceil(units / CHUNK_UNITS) * CHUNK_UNITS : units;
    const size = taken * unitOf(this.configuration);
    return [{ allocate: { name, size, ...(pinned === true && { movable: false }) } }];
  }

  private freed(as: string, deed: "free" | "share" | "unshare" = "free"): readonly unknown[] {
    const names = this.names.get(as) ?? [];
    if (deed === "free") this.names.delete(as);
    return names.map((name) => ({ [deed]: { name } }));
  }

  /** Boot memory of a story ends where its devices begin; that of a real machine does not. */
  private address(unit: number): number {
    const { staticUnits } = this.configuration;
    if (unit < staticUnits + 1)
      throw new NotForcible(`a read across unit ${unit}, which is not behind memory of the device`);
    return addressOf(this.configuration, unit);
  }
}

/** Where the part of a story that is the device's lies on a real machine. */
const addressOf = (configuration: MachineConfiguration, unit: number): number =>
  WINDOW + (unit - configuration.staticUnits) * unitOf(configuration);

/** Steps after the boot: those before the story, and those of each of its deeds. */
const stepsOf = (
  configuration: MachineConfiguration,
  { deeds, moves }: ForcedStory,
): { readonly before: readonly unknown[]; readonly ofDeeds: readonly (readonly unknown[])[] } => {
  const steps = new StepText(configuration, moves !== undefined);
  return {
    before: configuration.before.flatMap((deed) => steps.of(deed)),
    ofDeeds: deeds.map((deed) => steps.of(deed)),
  };
};

const heldAt = (configuration: MachineConfiguration, { point, nth, unit, text }: Hold): HeldAt => {
  if (unit !== undefined && unit < configuration.staticUnits)
    throw new NotForcible(`${text}, about boot memory, which lies elsewhere on a real machine`);
  if (!point.sleeps && configuration.vcpus < 2)
    throw new NotForcible(`${text}, where it keeps its vCPU, and the machine has no other`);
  return { point, nth, text, ...(unit !== undefined && { address: addressOf(configuration, unit) }) };
};

/**
 * Who is held where, in the order in which they begin and go on. Empty: each step begins when nobody has anything left
 * to do. Steps are counted as `scenarioOfStory` has them, without those that wait.
 *
 * @throws NotForcible for a deed that is several steps, or none
 */
export const scheduleOfStory = (
  configuration: MachineConfiguration,
  story: ForcedStory,
): readonly ScheduledStep[] => {
  const { moves } = story;
  if (moves === undefined) return [];
  const { before, ofDeeds } = stepsOf(configuration, story);
  const stepOf = (deed: number): number =>
    1 + before.length + ofDeeds.slice(0, deed).reduce((sum, steps, n) => sum + acting(story, n, steps), 0);
  const goesOn = ({ deed, until }: Move): GoesOn => {
    if (until !== undefined && ofDeeds[deed]!.length !== 1)
      throw new NotForcible(`${until.text}, in a deed that is not one step of a real guest`);
    return { step: stepOf(deed), ...(until !== undefined && { until: heldAt(configuration, until) }) };
  };
  const scheduled: (ScheduledStep & { next: GoesOn[] })[] = [];
  for (const move of moves) {
    if (!move.begins) scheduled.at(-1)!.next.push(goesOn(move));
    else if (story.deeds[move.deed] !== "wait")
      scheduled.push({ ...goesOn(move), asks: move.asks === true, next: [] });
  }
  return scheduled;
};

/** Of a deed's steps those that the world performs. */
const acting = ({ deeds }: ForcedStory, deed: number, steps: readonly unknown[]): number =>
  deeds[deed] === "wait" ? 0 : steps.length;

const faultsOf = ({ fault }: MachineConfiguration, { strikes }: ForcedStory): readonly unknown[] => {
  if (fault === null || !strikes) return [];
  if (!HOTPLUG_CALLS.has(fault.call))
    throw new NotForcible(
      `the fault of ${fault.call}: a real kernel makes such calls at its boot, and there is no telling which is the one of the story`,
    );
  return [{ call: fault.call, answer: fault.answer, optional: true }];
};

const machineOf = (configuration: MachineConfiguration): object => {
  const { device, vcpus, placement, slots = 1 } = configuration;
  const unit = unitOf(configuration);
  const virtioMem = device.kind === "virtio-mem" ? device.units : 0;
  return {
    ...{
      memory: MEMORY,
      vcpus,
      firmware: { unaccepted: "all", ...(placement === "outside table" && { srat: "none" }) },
    },
    ...(virtioMem > 0 && { virtioMem: [{ id: DEVICE, size: virtioMem * unit }] }),
    ...(dimmUnits(configuration) > 0 && { slots, maxmem: MEMORY + deviceUnits(configuration) * unit }),
  };
};

/**
 * A story as a scenario of a machine that a real kernel can run on, as JSON, which is YAML. A memory block has as many units as
 * in the story, and a real one's size; boot memory is not beside the device, and there is more of it.
 *
 * @throws NotForcible for a step or a fault that no scenario has, or that would not be the one of the story
 */
export const scenarioOfStory = (
  configuration: MachineConfiguration,
  story: ForcedStory,
  violation: string,
): string => {
  const { name, design, accept, memmapOnMemory, zone, pageRelease, discard, unplugged, aug } = configuration;
  if (configuration.bigBlocks === true)
    throw new NotForcible("big-block mode, which only a larger block size brings about");
  const { placement } = configuration;
  if (placement !== undefined && placement !== "outside table")
    throw new NotForcible(
      `memory that lies as "${placement}" says: a real machine's blocks and SRAT are the VMM's`,
    );
  const { before, ofDeeds } = stepsOf(configuration, story);
  return JSON.stringify({
    name: "story",
    title: `${name}: ${violation}`.slice(0, 200),
    platform: configuration.platform ?? "tdx",
    machine: machineOf(configuration),
    guest: {
      ...{ kernel: "6.12", revert: configuration.revert, accept, design, memmapOnMemory },
      autoOnline: AUTO_ONLINE[zone ?? "movable"],
    },
    vmm: { discard, pageRelease, unpluggedAccess: unplugged, aug },
    faults: faultsOf(configuration, story),
    steps: ["boot", ...before, ...ofDeeds.flat()],
  });
};

import type { MapRun } from "../world.ts";
import type { Sight } from "./sight.ts";

/** Memory that a machine has from its start, as the worlds name its owner. */
export const BOOT_RAM = "RAM";

/** Bytes of one owner's memory, by what is known of them. */
export interface Area {
  readonly plugged: number;
  readonly unplugged: number;
  /** Accepted, of what is plugged and of what is not. */
  readonly acceptedPlugged: number;
  readonly acceptedUnplugged: number;
  /** Bit set in the unaccepted bitmap. */
  readonly unacceptedPlugged: number;
  readonly unacceptedUnplugged: number;
  /** Bit set in the plugged bitmap. */
  readonly pluggedBit: number;
}

type Test = (run: MapRun) => boolean;

const TESTS: { readonly [what in keyof Area]: Test } = {
  plugged: (run) => run.plugged,
  unplugged: (run) => !run.plugged,
  acceptedPlugged: (run) => run.plugged && run.accepted,
  acceptedUnplugged: (run) => !run.plugged && run.accepted,
  unacceptedPlugged: (run) => run.plugged && run.unacceptedBit === 1,
  unacceptedUnplugged: (run) => !run.plugged && run.unacceptedBit === 1,
  pluggedBit: (run) => run.pluggedBit === 1,
};

const bytesOf = (runs: readonly MapRun[], test: Test): number =>
  runs.reduce((sum, run) => sum + (test(run) ? run.end - run.start : 0), 0);

/** What is known of an owner's memory; all zero if there is none. */
export const areaOf = ({ map }: Sight, owner: string): Area => {
  const runs = map.filter((run) => run.owner === owner);
  return {
    plugged: bytesOf(runs, TESTS.plugged),
    unplugged: bytesOf(runs, TESTS.unplugged),
    acceptedPlugged: bytesOf(runs, TESTS.acceptedPlugged),
    acceptedUnplugged: bytesOf(runs, TESTS.acceptedUnplugged),
    unacceptedPlugged: bytesOf(runs, TESTS.unacceptedPlugged),
    unacceptedUnplugged: bytesOf(runs, TESTS.unacceptedUnplugged),
    pluggedBit: bytesOf(runs, TESTS.pluggedBit),
  };
};

/** Who has memory besides the boot memory, in either of two sights: devices, DIMMs, and the rest of the window. */
export const hotplugOwners = (...sights: readonly Sight[]): string[] => {
  const owners = sights.flatMap(({ map }) => map.map(({ owner }) => owner));
  return [...new Set(owners)].filter((owner) => owner !== BOOT_RAM);
};

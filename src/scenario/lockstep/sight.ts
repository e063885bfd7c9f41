import type { PlayedStep } from "../report.ts";
import type { Step } from "../scenario.ts";
import type { Bitmaps, DeviceState, Fate, MapRun, MemoryBlocks, World } from "../world.ts";

/** What a world shows once a step is done, as far as another world can be asked the same. */
export interface Sight {
  readonly step: Step;
  readonly status: string;
  readonly fate: Fate;
  readonly map: readonly MapRun[];
  readonly bitmaps: Bitmaps | null;
  readonly blocks: MemoryBlocks;
  readonly devices: readonly DeviceState[];
  readonly iomem: readonly string[];
  /** By name, in the unit that Linux prints. */
  readonly counters: ReadonlyMap<string, number>;
}

/** Asks a world for all of it. A real kernel may die of being asked: its fate comes last. */
export const sightOf = async (world: World, step: Step, { status }: PlayedStep): Promise<Sight> => {
  const map = await world.snapshotMap();
  const bitmaps = await world.bitmaps();
  const blocks = await world.blocks();
  const devices = await world.devices();
  const iomem = await world.iomem();
  const counters = new Map((await world.counters()).map(({ name, value }) => [name, value]));
  return { step, status, map, bitmaps, blocks, devices, iomem, counters, fate: await world.fate() };
};

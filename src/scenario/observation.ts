import type { HostFacts } from "../machine/host-actor.ts";
import type { Waits } from "../machine/stalls.ts";
import type { AddressRange } from "./scenario.ts";
import type {
  Bitmaps,
  Cost,
  Counter,
  DeviceState,
  Eventually,
  Fate,
  LogLine,
  MapRun,
  MemoryBlocks,
  Untold,
  Violation,
  World,
} from "./world.ts";

/** A world at one moment: each question is asked at most once. */
export class Observation {
  /** Status of the step before, for expectations about it. */
  readonly status: string;
  /** Counters before the last step that acted. */
  readonly earlier: readonly Counter[];
  private readonly world: World;
  private readonly answers = new Map<string, Eventually<unknown>>();

  constructor(world: World, status: string, earlier: readonly Counter[]) {
    this.world = world;
    this.status = status;
    this.earlier = earlier;
  }

  now = (): Eventually<number> => this.once("now", () => this.world.now());
  fate = (): Eventually<Fate> => this.once("fate", () => this.world.fate());
  counters = (): Eventually<readonly Counter[]> => this.once("counters", () => this.world.counters());
  map = ({ start, end }: AddressRange): Eventually<readonly MapRun[]> =>
    this.once(`map ${start} ${end}`, () => this.world.snapshotMap({ start, end }));
  dmesg = (): Eventually<readonly LogLine[]> => this.once("dmesg", () => this.world.dmesg());
  iomem = (): Eventually<readonly string[]> => this.once("iomem", () => this.world.iomem());
  blocks = (): Eventually<MemoryBlocks> => this.once("blocks", () => this.world.blocks());
  devices = (): Eventually<readonly DeviceState[]> => this.once("devices", () => this.world.devices());
  bitmaps = (): Eventually<Bitmaps | null> => this.once("bitmaps", () => this.world.bitmaps());
  cost = (): Eventually<Cost> => this.once("cost", () => this.world.cost());
  waits = (): Eventually<Waits | null> => this.once("waits", () => this.world.waits?.() ?? null);
  host = (): Eventually<HostFacts | null> => this.once("host", () => this.world.host?.() ?? null);
  untold = (): Untold | undefined => this.world.untold;
  /** Whether the world can see an invariant broken. */
  sees = (invariant: string): boolean => this.world.invariants?.has(invariant) ?? true;
  violations = (): Eventually<readonly Violation[]> => this.once("violations", () => this.world.violations());

  private once<T>(name: string, ask: () => Eventually<T>): Eventually<T> {
    if (!this.answers.has(name)) this.answers.set(name, ask());
    return this.answers.get(name) as Eventually<T>;
  }
}

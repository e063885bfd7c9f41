import {
  FAULT_CALLS,
  type FaultBoundary,
  type FaultCall,
  isCreationCall,
  isHostCall,
} from "../../machine/faults/fault-calls.ts";
import type { PlatformName } from "../../machine/guest-platform.ts";
import { Prng } from "../../machine/prng.ts";
import type { Deed, MachineConfiguration, Program } from "../machine/configurations/configuration.ts";

/**
 * What a machine may have beside the plainest one. Each seed first draws which of these exist at all: where everything is
 * possible at once, what needs one thing often and another never is hardly met.
 *
 * @source Groce, Zhang, Eide, Chen, Regehr: Swarm Testing, ISSTA 2012
 */
const FEATURES = [
  "dimm",
  "dimm beside",
  "kexec",
  "eager",
  "memmap on memory",
  "no release",
  "kept",
  "ahead",
  "large blocks",
  "fault",
  "free",
  "pinned",
  "read",
  "by hand",
  "at any time",
  "snp",
  "big blocks",
  "kexec again",
  "shared",
  "kernel zone",
  "offline",
] as const;
type Feature = (typeof FEATURES)[number];

/** Bounds of what is drawn. All units lie in one memory section of 128 MiB. */
const MOST = {
  vcpus: 4,
  allUnits: 64,
  staticBlocks: 4,
  deviceBlocks: 24,
  dimmBlocks: 4,
  operatorDeeds: 6,
  userDeeds: 4,
  units: 4,
} as const;

/** Boundaries that only one platform has. */
const ONLY_ON: { readonly [boundary in FaultBoundary]?: PlatformName } = {
  ...{ tdcall: "tdx", mapgpa: "tdx", seamcall: "tdx" },
  snp: "snp",
};

/** The host's own calls, and those that make a TD, are over when a machine is there. */
const isOver = (one: FaultCall): boolean => isHostCall(one) || isCreationCall(one);

/** Faults that a guest has to live with, by platform. */
const faultsOf = (platform: PlatformName): readonly { readonly call: string; readonly answer: string }[] =>
  FAULT_CALLS.filter((one) => !isOver(one) && (ONLY_ON[one.boundary] ?? platform) === platform).flatMap(
    ({ name, survivable }) => survivable.map((answer) => ({ call: name, answer })),
  );
const FAULTS = { tdx: faultsOf("tdx"), snp: faultsOf("snp") };

/** Draws one machine. */
class Draw {
  private readonly prng: Prng;
  private readonly features: ReadonlySet<Feature>;

  constructor(prng: Prng) {
    this.prng = prng;
    this.features = new Set(FEATURES.filter(() => prng.below(2) === 1));
  }

  has(feature: Feature): boolean {
    return this.features.has(feature);
  }

  /** Kexec and conversions are modelled on TDX alone: where either is drawn, SNP is not. */
  get platform(): PlatformName {
    return this.has("snp") && !this.has("kexec") && !this.has("shared") ? "snp" : "tdx";
  }

  /** 1 to `most`. */
  some(most: number): number {
    return 1 + this.prng.below(most);
  }

  one<T>(all: readonly T[]): T {
    return all[this.prng.below(all.length)]!;
  }

  list<T>(most: number, draw: () => T): T[] {
    return Array.from({ length: this.some(most) }, draw);
  }

  fault(): MachineConfiguration["fault"] {
    return this.has("fault") ? this.one(FAULTS[this.platform]) : null;
  }
}

const operatorDeed = (draw: Draw, units: number): Deed => {
  const dimm: Deed = { do: draw.one(["plug", "unplug"]) };
  if (draw.has("dimm")) return dimm;
  const resize: Deed = { do: "resize", to: draw.some(units + 1) - 1 };
  return draw.has("dimm beside") ? draw.one([resize, dimm]) : resize;
};

/** What one kernel did before it started the next: memory is plugged and in use. */
const lifeBefore = (draw: Draw, units: number): Deed[] => {
  const plug: Deed = { do: "plug" };
  const heap: Deed = { do: "allocate", units: draw.some(MOST.units), as: "before" };
  const there = draw.has("dimm") ? [plug] : [{ do: "resize", to: draw.some(units) } as const];
  const beside = draw.has("dimm beside") && !draw.has("dimm") ? [plug] : [];
  return [...there, ...beside, heap, { do: "kexec" }];
};

/** The kernel of the search was started by another one, and that by a third: then it is one in the middle that left things behind. */
const beforeKexec = (draw: Draw, units: number): Deed[] => {
  if (!draw.has("kexec")) return [];
  return Array.from({ length: draw.has("kexec again") ? 2 : 1 }, () => lifeBefore(draw, units)).flat();
};

/** What a driver does with a buffer of its own: it has one or none at a time. */
const driverDeeds = (vcpu: number): Deed[] => {
  const as = `ring ${vcpu}`;
  return [
    { do: "allocate", units: 1, as, pinned: true },
    { do: "share", as },
    { do: "unshare", as },
    { do: "free", as },
  ];
};

/** What a user may do next. What is freed was allocated by the same user before: its task has finished with it. */
const userDeed = (draw: Draw, vcpu: number, all: number, blocks: number): Deed => {
  const as = `user ${vcpu}`;
  const units = draw.some(MOST.units);
  const deeds: Deed[] = [{ do: "allocate", units, as }];
  if (draw.has("free")) deeds.push({ do: "free", as });
  if (draw.has("pinned")) deeds.push({ do: "allocate", units, as, pinned: true });
  if (draw.has("read")) deeds.push({ do: "read", across: draw.some(all - 1) });
  if (draw.has("by hand")) deeds.push({ do: draw.one(["online", "offline"]), block: draw.some(blocks) - 1 });
  if (draw.has("shared")) deeds.push(draw.one(driverDeeds(vcpu)));
  return draw.one(deeds);
};

/** Where hot-added memory goes online. Who has it all offline needs somebody to bring it online. */
const zoneOf = (draw: Draw): MachineConfiguration["zone"] => {
  if (draw.has("offline") && draw.has("by hand")) return "none";
  return draw.has("kernel zone") ? "kernel" : undefined;
};

const programsOf = (
  draw: Draw,
  vcpus: number,
  staticUnits: number,
  units: number,
  blocks: number,
): Program[] => {
  const operator: Program = {
    by: "operator",
    deeds: draw.list(MOST.operatorDeeds, () => operatorDeed(draw, units)),
    when: draw.has("at any time") ? "any time" : "at rest",
  };
  const users = Array.from({ length: vcpus - 1 }, (_, n): Program => {
    const vcpu = n + 1;
    const deeds = draw.list(MOST.userDeeds, () => userDeed(draw, vcpu, staticUnits + units, blocks));
    return { by: { user: vcpu }, deeds, when: "any time" };
  });
  return [operator, ...users];
};

/** The machine of a seed: always the same one, larger than those of the standard configurations. */
export const drawnConfiguration = (
  design: string,
  seed: number,
  rules: readonly string[] = [],
): MachineConfiguration => {
  const draw = new Draw(new Prng(seed));
  const blockUnits = draw.has("large blocks") ? 4 : 2;
  const vcpus = draw.some(MOST.vcpus - 1) + 1;
  const staticUnits = blockUnits * draw.some(MOST.staticBlocks);
  const beside = draw.has("dimm beside") && !draw.has("dimm") ? draw.some(MOST.dimmBlocks) : 0;
  const room = Math.floor((MOST.allUnits - staticUnits) / blockUnits) - beside;
  const blocks = draw.some(Math.min(MOST.deviceBlocks, room));
  const units = blockUnits * blocks;
  const zone = zoneOf(draw);
  return {
    name: `seed ${seed}`,
    ...{ design, vcpus, staticUnits, blockUnits },
    device: { kind: draw.has("dimm") ? "dimm" : "virtio-mem", units },
    ...(beside > 0 && { dimmUnits: beside * blockUnits }),
    ...(draw.platform === "snp" && { platform: draw.platform }),
    ...(draw.has("big blocks") && !draw.has("dimm") && { bigBlocks: true }),
    ...(zone !== undefined && { zone }),
    accept: draw.has("eager") ? "eager" : "lazy",
    memmapOnMemory: draw.has("memmap on memory"),
    pageRelease: !draw.has("no release"),
    discard: draw.has("kept") ? "none" : "both",
    unplugged: "allocate",
    aug: draw.has("ahead") ? "ahead" : "fault",
    revert: [],
    before: beforeKexec(draw, units),
    programs: programsOf(draw, vcpus, staticUnits, units, blocks),
    fault: draw.fault(),
    rules,
  };
};

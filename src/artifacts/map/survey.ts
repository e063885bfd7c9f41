import { EFI_MEMORY_TYPE } from "../../abi/efi/memory-descriptor.ts";
import {
  ADDRESS_LIMIT,
  type Fact,
  type FactKind,
  type FactOf,
  type Place,
  type Range,
  type Role,
} from "../facts.ts";
import { type Boot, bootsOf, factsOfBoot, lastPicture, shownBoot } from "./boots.ts";
import { devicesOf, type SurveyedDevice } from "./devices.ts";
import { union } from "./ranges.ts";

/** Everything that was read, put in order: what the findings and the views look at. */
export interface Survey {
  readonly facts: readonly Fact[];
  readonly boots: readonly Boot[];
  readonly shown: Boot | undefined;
  of<K extends FactKind>(kind: K): readonly FactOf<K>[];
  readonly roles: ReadonlySet<Role>;
  /** RAM at boot by the best source there is, and what that is. */
  readonly ram: readonly Range[];
  readonly ramSource: string | undefined;
  /** Bytes of a memory block; undefined if nothing says it. */
  readonly blockBytes: number | undefined;
  readonly devices: readonly SurveyedDevice[];
  /** The last state of each memory block. */
  readonly blocks: readonly SurveyedBlock[];
}

export interface SurveyedBlock extends Range {
  readonly block: number;
  readonly state: string | undefined;
  readonly zones: string | undefined;
  readonly node: number | undefined;
  readonly at: Place;
}

/** EFI types that the kernel's stub turns into RAM. */
const RAM_TYPES: readonly number[] = [
  EFI_MEMORY_TYPE.LOADER_CODE,
  EFI_MEMORY_TYPE.LOADER_DATA,
  EFI_MEMORY_TYPE.BOOT_SERVICES_CODE,
  EFI_MEMORY_TYPE.BOOT_SERVICES_DATA,
  EFI_MEMORY_TYPE.CONVENTIONAL,
  EFI_MEMORY_TYPE.UNACCEPTED,
];

/** Whether a descriptor becomes RAM; specific-purpose memory is set aside unless it is unaccepted. */
export const isEfiRam = ({ type, attributes }: FactOf<"efi">): boolean =>
  RAM_TYPES.includes(type) && (type === EFI_MEMORY_TYPE.UNACCEPTED || attributes?.includes("SP") !== true);

export const isUnaccepted = ({ type, map }: FactOf<"efi">): boolean =>
  map === "boot" && type === EFI_MEMORY_TYPE.UNACCEPTED;

const ramOf = (of: Survey["of"]): Pick<Survey, "ram" | "ramSource"> => {
  const sources: readonly (readonly [string, readonly Range[]])[] = [
    ["e820", of("e820").filter(({ type }) => type === "RAM")],
    ["EFI memory map", of("efi").filter((fact) => fact.map === "boot" && isEfiRam(fact))],
    ["node ranges", of("node-range")],
    ["/proc/iomem", of("iomem").filter(({ name }) => name === "System RAM")],
    ["SRAT", of("srat-memory").filter(({ enabled, hotplug }) => enabled && !hotplug)],
    ["lsmem", of("lsmem")],
  ];
  const best = sources.find(([, ranges]) => ranges.length > 0);
  return { ram: union(best?.[1] ?? []), ramSource: best?.[0] };
};

const blocksOf = (of: Survey["of"], blockBytes: number | undefined): SurveyedBlock[] => {
  if (blockBytes === undefined || blockBytes === 0) return [];
  const byNumber = new Map<number, SurveyedBlock>();
  const facts = of("memory-block");
  const source = facts.at(-1)?.at.source;
  for (const { block, state, zones, node, at } of facts) {
    // Of several pictures of the same machine the last one counts; a saved tree has a file for each field.
    if (at.source !== source && !isTree(at.source)) continue;
    if ((block + 1) * blockBytes > ADDRESS_LIMIT) continue;
    const before = byNumber.get(block);
    byNumber.set(block, {
      block,
      start: block * blockBytes,
      end: (block + 1) * blockBytes,
      state: state ?? before?.state,
      zones: zones ?? before?.zones,
      node: node ?? before?.node,
      at: before?.at ?? at,
    });
  }
  return [...byNumber.values()].sort((a, b) => a.block - b.block);
};

const isTree = (source: string): boolean => /\bmemory\d+\/[a-z_]+$/.test(source);

const grouped = (facts: readonly Fact[]): ReadonlyMap<FactKind, readonly Fact[]> => {
  const groups = new Map<FactKind, Fact[]>();
  for (const fact of facts) {
    const group = groups.get(fact.kind);
    if (group === undefined) groups.set(fact.kind, [fact]);
    else group.push(fact);
  }
  for (const kind of ["lsmem", "iomem"] as const) {
    const group = (groups.get(kind) ?? []).filter((fact): fact is FactOf<typeof kind> => fact.kind === kind);
    if (group.length > 0) groups.set(kind, lastPicture(group));
  }
  return groups;
};

/** Puts facts in order. */
export const survey = (all: readonly Fact[]): Survey => {
  const shown = shownBoot(all);
  const facts = factsOfBoot(all, shown);
  const groups = grouped(facts);
  const of = <K extends FactKind>(kind: K): readonly FactOf<K>[] =>
    (groups.get(kind) ?? []).filter((fact): fact is FactOf<K> => fact.kind === kind);
  const blockBytes = of("block-size").at(-1)?.bytes;
  return {
    facts,
    boots: bootsOf(all),
    shown,
    of,
    roles: new Set(of("platform").map(({ role }) => role)),
    ...ramOf(of),
    blockBytes,
    devices: devicesOf(of),
    blocks: blocksOf(of, blockBytes),
  };
};

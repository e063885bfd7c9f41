import { type IomemRange, parseIomem } from "./iomem.ts";
import { type Meminfo, parseMeminfo } from "./meminfo.ts";

/** A block of /sys/devices/system/memory. */
export interface MemoryBlock {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
  /** "online", "offline" or "going-offline". */
  readonly state: string;
  /** Zone an online block is in; for an offline one those it may go to. Empty if the kernel says "none". */
  readonly validZones: readonly string[];
}

/** What the guest says of its memory at one moment. */
export interface GuestSnapshot {
  /** Seconds since the guest's kernel started. */
  readonly uptime: number;
  readonly meminfo: Meminfo;
  readonly nodes: ReadonlyMap<number, Meminfo>;
  readonly iomem: readonly IomemRange[];
  /** Bytes of a memory block; 0 if the kernel has no memory hotplug. */
  readonly blockBytes: bigint;
  /** "offline", "online", "online_kernel" or "online_movable"; undefined without memory hotplug. */
  readonly autoOnline: string | undefined;
  readonly blocks: readonly MemoryBlock[];
}

const byNumber = <T>(a: readonly [number, T], b: readonly [number, T]): number => a[0] - b[0];

/** Contents of each file, by path, from `grep -H ''`. */
const filesOf = (text: string): ReadonlyMap<string, string[]> => {
  const files = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    const lines = files.get(path);
    if (lines === undefined) files.set(path, [line.slice(colon + 1)]);
    else lines.push(line.slice(colon + 1));
  }
  return files;
};

/** Reads what the agent's snapshot printed. A file that was not there is empty. */
export const parseSnapshot = (text: string): GuestSnapshot => {
  const files = filesOf(text);
  const all = (path: string): string => files.get(path)?.join("\n") ?? "";
  const paths = [...files.keys()];
  const hex = all("memory/block_size_bytes");
  const blockBytes = /^[0-9a-f]{1,16}$/.test(hex) ? BigInt(`0x${hex}`) : 0n;
  const blockOf = (path: string): [number, MemoryBlock][] => {
    const index = Number(/^memory\/memory(\d{1,9})\/state$/.exec(path)?.[1] ?? Number.NaN);
    if (Number.isNaN(index)) return [];
    const zones = all(`memory/memory${index}/valid_zones`).split(" ");
    const validZones = zones.filter((zone) => zone !== "" && zone !== "none");
    const start = BigInt(index) * blockBytes;
    return [[index, { index, start, end: start + blockBytes, state: all(path), validZones }]];
  };
  const nodeOf = (path: string): [number, Meminfo][] => {
    const node = /^node\/node(\d{1,9})\/meminfo$/.exec(path);
    return node === null ? [] : [[Number(node[1]), parseMeminfo(all(path))]];
  };
  return {
    uptime: Number.parseFloat(all("/proc/uptime")) || 0,
    meminfo: parseMeminfo(all("/proc/meminfo")),
    nodes: new Map(paths.flatMap(nodeOf).sort(byNumber)),
    iomem: parseIomem(all("/proc/iomem")),
    blockBytes,
    autoOnline: files.get("memory/auto_online_blocks")?.[0],
    blocks: paths
      .flatMap(blockOf)
      .sort(byNumber)
      .map(([, block]) => block),
  };
};

import { formatSize } from "../quantity.ts";
import type { MemoryBlock } from "../world.ts";
import { anyShrinks, liesInShrinking } from "./device-quantities.ts";
import { type Finding, type Pair, type Quantity, unlessSame } from "./quantity.ts";
import type { Sight } from "./sight.ts";

const KIB = 1024;

const blocksByNumber = ({ blocks }: Sight): Map<number, MemoryBlock> =>
  new Map(blocks.blocks.map((block) => [block.number, block]));

type Show = (block: MemoryBlock | undefined) => string | undefined;

/** Neighbours that differ alike are one finding: `memory32-33`. */
const joined = (findings: readonly (Finding & { readonly number: number })[]): Finding[] => {
  const rows: { first: number; last: number; model: string; linux: string }[] = [];
  for (const { number, model, linux } of findings) {
    const last = rows.at(-1);
    if (last !== undefined && last.last === number - 1 && last.model === model && last.linux === linux)
      last.last = number;
    else rows.push({ first: number, last: number, model, linux });
  }
  return rows.map(({ first, last, model, linux }) => {
    const about = first === last ? `memory${first}` : `memory${first}-${last}`;
    return { about, model, linux };
  });
};

/** Compares what is shown of each memory block; undefined: there is nothing to compare. */
const perBlock =
  (show: Show) =>
  (pair: Pair): Finding[] => {
    // Where the first kernel kept memory for a crash kernel is its allocator's choice.
    if (pair.booted?.model.step.kind === "crash") return [];
    const [model, linux] = [blocksByNumber(pair.model), blocksByNumber(pair.linux)];
    const { size } = pair.model.blocks;
    const numbers = [...new Set([...model.keys(), ...linux.keys()])].sort((a, b) => a - b);
    return joined(
      numbers.flatMap((number) => {
        const [ours, theirs] = [show(model.get(number)), show(linux.get(number))];
        if (ours === undefined || theirs === undefined || liesInShrinking(pair, number * size)) return [];
        return unlessSame("", ours, theirs).map((finding) => ({ ...finding, number }));
      }),
    );
  };

/** MemTotal since the kernel came up, in kB: what boot itself takes differs, what comes and goes does not. */
const compareTotal = (pair: Pair): Finding[] => {
  const { booted } = pair;
  if (booted === undefined || anyShrinks(pair)) return [];
  const grown = (now: Sight, then: Sight): string => {
    const kb = (now.counters.get("MemTotal") ?? 0) - (then.counters.get("MemTotal") ?? 0);
    return `${kb < 0 ? "-" : "+"}${formatSize(Math.abs(kb) * KIB)}`;
  };
  return unlessSame("", grown(pair.model, booted.model), grown(pair.linux, booted.linux));
};

/** What the memory core shows of memory that comes and goes. */
export const BLOCK_QUANTITIES: readonly Quantity[] = [
  {
    name: "memory block size",
    bound: 0,
    compare: ({ model, linux }) =>
      unlessSame("", formatSize(model.blocks.size), formatSize(linux.blocks.size)),
  },
  { name: "memory block state", bound: 0, compare: perBlock((block) => block?.state ?? "none") },
  {
    name: "zone of an online memory block",
    bound: 0,
    compare: perBlock((block) => (block?.state === "online" ? block.zones : undefined)),
  },
  { name: "MemTotal since boot", bound: 0, compare: compareTotal },
];

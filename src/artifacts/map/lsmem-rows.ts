import type { Range } from "../facts.ts";
import type { SurveyedDevice } from "./devices.ts";
import { difference, intersection, roundDown, roundUp, total } from "./ranges.ts";
import type { Survey } from "./survey.ts";

/** One row of lsmem, with what lsmem does not know. Bytes are undefined where nothing that was read tells them. */
export interface LsmemRow extends Range {
  readonly state: string | undefined;
  readonly removable: boolean | undefined;
  /** First and last memory block; undefined where the block size is not known. */
  readonly blocks: readonly [first: number, last: number] | undefined;
  /** Bytes that the VMM backs. */
  readonly plugged: number | undefined;
  /** Bytes that the kernel has not accepted yet. */
  readonly unaccepted: number | undefined;
  /** Bytes that are the guest's own: plugged and accepted. Conversions to shared memory leave no trace here. */
  readonly private: number | undefined;
}

interface Piece extends Range {
  readonly state: string | undefined;
  readonly removable: boolean | undefined;
}

/** Blocks from sysfs if there are any, else the rows of a saved lsmem; neighbours that are alike are one piece. */
const piecesOf = ({ of, blocks }: Survey): Piece[] => {
  const removable = new Map(of("memory-block").map((fact) => [fact.block, fact.removable]));
  const all: readonly Piece[] =
    blocks.length > 0
      ? blocks.map(({ block, start, end, state }) => ({ start, end, state, removable: removable.get(block) }))
      : of("lsmem");
  const merged: { start: number; end: number; state: string | undefined; removable: boolean | undefined }[] =
    [];
  for (const { start, end, state, removable: may } of all.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && last.end === start && last.state === state && last.removable === may)
      last.end = end;
    else merged.push({ start, end, state, removable: may });
  }
  return merged;
};

/** What the guest has added of the devices: as /proc/iomem names it, else the memory blocks that there are. */
const addedOf = (survey: Survey): readonly Range[] => {
  const named = survey.of("iomem").filter(({ name }) => /^System RAM \(/.test(name));
  return named.length > 0 ? named : piecesOf(survey);
};

/**
 * Bytes of a virtio-mem device that lie in a range. The VMM tells how many are plugged and not which: so they are known where the guest
 * has added just as many, or has nothing of the device elsewhere.
 */
const virtioMemPlugged = (survey: Survey, device: SurveyedDevice, range: Range): number | undefined => {
  const part = intersection([device.range], [range]);
  const bitmap = survey.of("unaccepted-table").at(-1)?.plugged;
  if (bitmap !== undefined) return total(intersection(part, bitmap));
  if (device.size === device.range.end - device.range.start) return total(part);
  const added = intersection([device.range], addedOf(survey));
  if (total(added) === device.size) return total(intersection(part, added));
  const isAllHere = added.length > 0 && difference(added, [range]).length === 0;
  return isAllHere && device.size <= total(added) ? device.size : undefined;
};

const devicePlugged = (survey: Survey, range: Range): number | undefined => {
  let bytes = 0;
  for (const device of survey.devices) {
    const part = intersection([device.range], [range]);
    if (part.length === 0) continue;
    const plugged = device.type === "dimm" ? total(part) : virtioMemPlugged(survey, device, range);
    if (plugged === undefined) return undefined;
    bytes += plugged;
  }
  return bytes;
};

const SECTION = 2 ** 27;

/** RAM of the boot. Where the VMM told all devices, and nobody the RAM, it is what is there outside of them. */
const bootRamOf = (survey: Survey): readonly Range[] | undefined => {
  const { ram, ramSource, devices, of } = survey;
  if (ramSource !== undefined && ramSource !== "lsmem") return ram;
  if (of("memory-device").length === 0) return undefined;
  return difference(
    piecesOf(survey),
    devices.map(({ range }) => range),
  );
};

const pluggedOf = (survey: Survey, range: Range): number | undefined => {
  const { devices, blockBytes } = survey;
  const ram = bootRamOf(survey);
  if (ram === undefined) return undefined;
  // A block with RAM of the boot is backed as a whole: firmware keeps some of it for itself.
  const block = blockBytes === undefined || blockBytes === 0 ? SECTION : blockBytes;
  const whole = ram.map(({ start, end }) => ({ start: roundDown(start, block), end: roundUp(end, block) }));
  const boot = intersection(whole, [range]);
  let bytes = total(boot);
  for (const rest of difference([range], boot)) {
    const known = devices.length === 0 ? undefined : devicePlugged(survey, rest);
    if (known === undefined) return undefined;
    bytes += known;
  }
  return bytes;
};

/** The rows of lsmem for this machine. */
export const lsmemRows = (survey: Survey): LsmemRow[] => {
  const { blockBytes, of } = survey;
  const table = of("unaccepted-table").at(-1);
  return piecesOf(survey).map((piece): LsmemRow => {
    const { start, end } = piece;
    const plugged = pluggedOf(survey, piece);
    const unaccepted = table === undefined ? undefined : total(intersection([piece], table.unaccepted));
    const known = plugged !== undefined && unaccepted !== undefined;
    return {
      ...piece,
      blocks:
        blockBytes === undefined
          ? undefined
          : [start / blockBytes, (end - 1 - ((end - 1) % blockBytes)) / blockBytes],
      plugged,
      unaccepted,
      private: known ? Math.max(0, plugged - unaccepted) : undefined,
    };
  });
};

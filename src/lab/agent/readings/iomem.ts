/** A range of the guest's physical address space, as /proc/iomem has it. Both ends belong to it. */
export interface IomemRange {
  /** 0 for a range of the first level. */
  readonly depth: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
}

const LINE = /^( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.*)$/;

/** Reads /proc/iomem, as root sees it: for others every address is zero. A line that is no range is left out. */
export const parseIomem = (text: string): IomemRange[] =>
  text.split("\n").flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, indent = "", start, end, name = ""] = match;
    return [{ depth: indent.length / 2, start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), name }];
  });

/** The guest's RAM: ranges named "System RAM", or "System RAM (virtio_mem)", at any depth. */
export const systemRam = (ranges: readonly IomemRange[]): IomemRange[] =>
  ranges.filter(({ name }) => /^System RAM\b/.test(name));

/** The fields of /proc/meminfo, or of a node's, by the kernel's names. In KiB, except that HugePages_* are counts. */
export type Meminfo = ReadonlyMap<string, number>;

const FIELD = /^(?:Node \d+ )?([A-Za-z][\w()]*): +(\d+)(?: kB)?$/gm;

/** Reads meminfo's lines. A line that is no field is left out. */
export const parseMeminfo = (text: string): Meminfo =>
  new Map([...text.matchAll(FIELD)].map((match) => [match[1]!, Number(match[2])]));

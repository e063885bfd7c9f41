/** Reads /proc/vmstat, or any other list of `NAME VALUE` lines. */
export const parseVmstat = (text: string): ReadonlyMap<string, number> =>
  new Map([...text.matchAll(/^(\S+) (\d+)$/gm)].map((match) => [match[1]!, Number(match[2])]));

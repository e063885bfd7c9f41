/** One symbol of a running kernel. */
export interface KernelSymbol {
  readonly name: string;
  readonly address: bigint;
  /** nm's letter: T for global text, t for local, and so on. */
  readonly type: string;
  /** The module it belongs to; undefined for the kernel itself. */
  readonly module: string | undefined;
}

const LINE = /^([0-9a-f]{16}) (\S) ([^\s[]+)(?:\s+\[(\S+)\])?$/;

/** Reads /proc/kallsyms, as root sees it: for others every address is zero. A line that is no symbol is left out. */
export const parseKallsyms = (text: string): KernelSymbol[] =>
  text.split("\n").flatMap((line) => {
    const match = LINE.exec(line);
    if (match === null) return [];
    const [, address, type = "", name = "", module] = match;
    return [{ name, address: BigInt(`0x${address}`), type, module }];
  });

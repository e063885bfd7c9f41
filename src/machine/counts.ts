import { snpGuestCallName, snpHostCallName } from "../abi/snp/call-numbers.ts";
import { tdgName, tdhName } from "../abi/tdx/leaves.ts";

const LEAVES = 256;

/** How often things were done, on SEV-SNP under numbers of their own. Flat. */
export class Counts {
  readonly tdcalls = new Float64Array(LEAVES);
  readonly seamcalls = new Float64Array(LEAVES);
  /** [0] TD exits. */
  readonly words = new Float64Array(1);

  tdcall(leaf: number): void {
    this.tdcalls[leaf & (LEAVES - 1)]!++;
  }

  seamcall(leaf: number, times = 1): void {
    this.seamcalls[leaf & (LEAVES - 1)]! += times;
  }

  exit(): void {
    this.words[0]!++;
  }

  get exits(): number {
    return this.words[0]!;
  }

  clear(): void {
    for (const counts of [this.tdcalls, this.seamcalls, this.words]) counts.fill(0);
  }

  /** Counts by name of the TDCALL leaves that were called. */
  tdcallsByName(): { [leaf: string]: number } {
    return named(this.tdcalls, (code) => snpGuestCallName(code) ?? tdgName(code));
  }

  seamcallsByName(): { [leaf: string]: number } {
    return named(this.seamcalls, (code) => snpHostCallName(code) ?? tdhName(code));
  }

  views(): ArrayBufferView[] {
    return [this.tdcalls, this.seamcalls, this.words];
  }
}

const named = (counts: Float64Array, name: (leaf: number) => string): { [leaf: string]: number } => {
  const result: { [leaf: string]: number } = {};
  for (let leaf = 0; leaf < counts.length; leaf++) if (counts[leaf]! > 0) result[name(leaf)] = counts[leaf]!;
  return result;
};

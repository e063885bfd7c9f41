import { assert } from "../../assert.ts";
import type { SnpInstructions } from "../boundary.ts";
import type { Kernel } from "../kernel.ts";

/** What an SEV-SNP guest executes. */
export const snpOf = ({ hw }: Kernel): SnpInstructions => {
  assert(hw.snp !== undefined, "a kernel with the SNP platform runs as an SNP guest");
  return hw.snp;
};

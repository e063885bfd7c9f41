import { type Halt, haltOn } from "./stub-fault.ts";

export type StubPlatform = "tdx" | "snp" | "none";

/** A range that was accepted before the kernel proper, guest-physical bytes, half open. */
export interface AcceptedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Accepts [start, end), guest-physical bytes. The calls come in the order in which the machine has to issue them;
 * an empty range is a call too, and needs no instruction.
 *
 * @returns false if the platform refuses, which ends the boot
 */
export type EarlyAccept = (start: number, end: number) => boolean;

/** An accepter that only writes the calls down, for a machine that issues them later. */
export const recordAccepts = (): {
  readonly accept: EarlyAccept;
  readonly accepts: readonly AcceptedRange[];
} => {
  const accepts: AcceptedRange[] = [];
  const accept: EarlyAccept = (start, end) => {
    accepts.push({ start, end });
    return true;
  };
  return { accept, accepts };
};

/** Accepts a range, or says why the machine stops. */
export type PlatformAccept = (start: bigint, end: bigint) => Halt | undefined;

const REFUSED = {
  tdx: "TDX: Failed to accept memory",
  // SNP has no words for it: the guest asks the hypervisor to end it.
  snp: "SNP: terminated, memory could not be accepted",
} as const;

/** End of guest-physical addresses. */
const GPA_LIMIT = 2n ** 52n;

/**
 * Acceptance as the stub and the decompressor have it: no alignment, no guard, no lock.
 *
 * @source Linux arch/x86/boot/compressed/mem.c (arch_accept_memory)
 */
export const platformAccept =
  (platform: StubPlatform, accept: EarlyAccept): PlatformAccept =>
  (start, end) => {
    if (platform === "none") return { why: "Cannot accept memory: unknown platform" };
    if (start > GPA_LIMIT || end > GPA_LIMIT)
      return haltOn(REFUSED[platform], { kind: "gpa-width", range: { start, end } });
    return accept(Number(start), Number(end)) ? undefined : { why: REFUSED[platform] };
  };

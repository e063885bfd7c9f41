import type { Procedure } from "../../flat/procedure.ts";
import type { Kernel } from "../kernel.ts";

/**
 * How a call of the platform over (start, end) ended. A result is one number: how far it came, in bytes, plus one of these. DONE alone
 * says that it came to the end.
 */
export const PLATFORM_OUTCOME = {
  /** Hardware answered with an error at the page that was reached. */
  FAILED: 0,
  DONE: 1,
  /** The host did a part and may do more when it is asked again. */
  PARTIAL: 2,
  /** The host will not: nothing behind the page that was reached has changed. */
  REFUSED: 3,
  /** The host took the page away that the guest had not given back; its content is lost. */
  DESTROYED: 4,
} as const;
const OUTCOMES = 4096;

/** The result of a call that ended at page `reached`. */
export const platformResult = (outcome: number, reached: number): number =>
  outcome === PLATFORM_OUTCOME.DONE ? outcome : reached - (reached % OUTCOMES) + outcome;
export const isDone = (result: number): boolean => result === PLATFORM_OUTCOME.DONE;
export const outcomeOf = (result: number): number => result % OUTCOMES;
/** Page that a call which is not done had come to. */
export const reachedOf = (result: number): number => result - (result % OUTCOMES);

/**
 * What runs the guest's confidential-computing instructions. Ranges are bytes; results are those of PLATFORM_OUTCOME unless it says
 * otherwise. TDX answers FAILED where it does not panic, SEV-SNP ends the guest itself. PARTIAL, REFUSED and DESTROYED are
 * what Arm CCA's realm services answer.
 *
 * @missing Arm CCA as a platform, for the reasons that docs/decisions/0008-arm-cca.md gives
 */
export interface Platform {
  readonly name: "tdx" | "snp";
  /** Accept and release take a virtual address: without a mapping of the range the kernel meets a page fault. */
  readonly reachesByMapping: boolean;
  /** (start, end): arch_accept_memory(). */
  readonly accept: Procedure<Kernel>;
  /** As accept, but memory that is accepted already passes with whatever it holds: what one posted design asks for. */
  readonly acceptOrKeep: Procedure<Kernel>;
  /** (start, end): arch_unaccept_memory() as proposed. DONE also where the platform cannot release. */
  readonly release: Procedure<Kernel>;
  /** (start, end): gives accepted memory back whatever the VM was configured with; absent where no such thing is. */
  readonly rescind?: Procedure<Kernel>;
  /** (start, end, 1: to private, 0: to shared): asks the VMM to convert. Returns end, or where it stopped. */
  readonly convert: Procedure<Kernel>;
  /** (start, end): accepts what is not accepted and leaves the rest alone. */
  readonly acceptMissing: Procedure<Kernel>;
  /** (start, end): what firmware does before the kernel, and what the EFI stub does. */
  readonly firmwareAccept: Procedure<Kernel>;
  readonly earlyAccept: Procedure<Kernel>;
  /** (start, size), whole units: takes memory out of the direct map, and puts it back. */
  readonly hide: Procedure<Kernel>;
  readonly show: Procedure<Kernel>;
  /** Message of the panic when accept is not done. */
  readonly acceptPanic: string;
}

import type { Span } from "../span.ts";

/** Where in the kernel a CPU was. */
export interface CodePlace {
  readonly rip: bigint;
  /** `function+0x12`, or the address if no symbol is near. */
  readonly symbol: string;
  /** Callers, innermost first; empty if the stack could not be read. */
  readonly backtrace: readonly string[];
}

/** A rule that the guest or its design broke, seen on the real kernel. */
export interface LabViolation {
  /** Number of the invariant: I1 is an access to what is not plugged and accepted. */
  readonly invariant: string;
  readonly range: Span;
  /** One sentence. */
  readonly why: string;
  /** undefined for what nobody was seen doing: the audit sees pages, not who touched them. */
  readonly place: CodePlace | undefined;
  readonly vcpu: number | undefined;
  /** State of the secure EPT entry then. */
  readonly septState: string;
  readonly plugged: boolean;
}

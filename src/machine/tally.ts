/** Why a vCPU left the guest. */
export const EXIT_KINDS = ["accept", "access", "TDVMCALL", "host kick"] as const;
export type ExitKind = (typeof EXIT_KINDS)[number];
export const ACCEPT_EXIT = 0;
export const ACCESS_EXIT = 1;
export const CALL_EXIT = 2;
const KICK = 3;
const UNPLUGGED = 4;
const UNTOUCHED = 5;

/** What designs are compared by, beside their counts of calls. Flat. */
export class Tally {
  /** Exits by kind, bytes accepted that were not plugged, bytes accepted that went back untouched. */
  readonly words = new Float64Array(6);

  /** A vCPU left the guest for one of the reasons above. */
  exit(kind: number): void {
    this.words[kind]!++;
  }

  /** The host made a vCPU leave and come back. */
  kick(): void {
    this.words[KICK]!++;
  }

  /** Memory was accepted that the VMM has not plugged. */
  acceptsUnplugged(bytes: number): void {
    this.words[UNPLUGGED]! += bytes;
  }

  /** Memory goes back to the VMM: so much of it was never written since it was accepted. */
  givesBack(untouched: number): void {
    this.words[UNTOUCHED]! += untouched;
  }

  get exits(): { [kind in ExitKind]: number } {
    const { words } = this;
    return { accept: words[0]!, access: words[1]!, TDVMCALL: words[2]!, "host kick": words[3]! };
  }

  get unpluggedBytes(): number {
    return this.words[UNPLUGGED]!;
  }

  get untouchedBytes(): number {
    return this.words[UNTOUCHED]!;
  }

  clear(): void {
    this.words.fill(0);
  }
}

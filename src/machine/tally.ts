import { lo, RAX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { SEPT_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { EEQ_TYPE, EXIT_REASON } from "../abi/tdx/td-exit.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { TagStore } from "../tdx-module/page-store.ts";
import type { Td } from "../tdx-module/td.ts";
import { hostFrame } from "./hardware.ts";

/** Why a vCPU left the guest. */
export const EXIT_KINDS = ["accept", "access", "TDVMCALL", "host kick"] as const;
export type ExitKind = (typeof EXIT_KINDS)[number];
const [ACCEPT, ACCESS, VMCALL, KICK] = [0, 1, 2, 3];
const UNPLUGGED = 4;
const UNTOUCHED = 5;
const PAGE = 4096;

/** What designs are compared by, beside their counts of calls. Flat. */
export class Tally {
  /** Exits by kind, bytes accepted that were not plugged, bytes accepted that went back untouched. */
  readonly words = new Float64Array(6);

  /** A vCPU left the guest with these exit registers. */
  exit(regs: Regs): void {
    const kind =
      lo(regs, RAX) !== EXIT_REASON.EPT_VIOLATION
        ? VMCALL
        : (lo(regs, RDX) & 15) === EEQ_TYPE.ACCEPT
          ? ACCEPT
          : ACCESS;
    this.words[kind!]!++;
  }

  /** The host made a vCPU leave and come back. */
  kick(): void {
    this.words[KICK!]!++;
  }

  /** Memory was accepted that the VMM has not plugged. */
  acceptsUnplugged(bytes: number): void {
    this.words[UNPLUGGED]! += bytes;
  }

  /** Memory goes back to the VMM: what of it was never written since it was accepted. */
  givesBack(module: TdxModule, td: Td, start: number, end: number): void {
    const { pages } = module;
    if (!(pages instanceof TagStore)) return;
    for (let at = start; at < end; ) {
      td.sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
      const size = PAGE * 512 ** td.sept.level;
      const next = Math.min(end, at - (at % size) + size);
      if (td.sept.stateHere === SEPT_MAPPED || td.sept.stateHere === SEPT_PENDING) {
        const small = td.sept.level === 0;
        const frame = small ? td.sept.payloadHere : hostFrame(td.sept.payloadHere, at);
        this.words[UNTOUCHED]! += PAGE * pages.zeroFrames(frame, Math.ceil((next - at) / PAGE));
      }
      at = next;
    }
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

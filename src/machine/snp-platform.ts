import { SVM_EXIT } from "../abi/snp/ghcb.ts";
import { getNumber, RAX } from "../abi/tdx/regs.ts";
import { SEPT_FREE } from "../abi/tdx/sept-entry.ts";
import { SNP_PLATFORM } from "../linux/coco/snp-accept.ts";
import { SNP_VCPU, type SnpGuest } from "../snp/snp-guest.ts";
import { SCRAMBLED_CONTENT, type TagStore, ZERO_CONTENT } from "../tdx-module/page-store.ts";
import { handleSnpExit } from "../vmm/snp/snp-exit.ts";
import type { GuestPages, GuestPlatform } from "./guest-platform.ts";
import type { SnpCpus } from "./snp-cpus.ts";

const PAGE = 4096;

/** A guest of SEV-SNP. */
export class SnpPlatform implements GuestPlatform {
  readonly name = "snp";
  readonly linux = SNP_PLATFORM;
  readonly exitHandler = handleSnpExit;
  readonly acceptName = "PVALIDATE";
  readonly stateHolder = "RMP entry";
  readonly guest: SnpGuest;
  readonly store: TagStore;
  readonly cpus: SnpCpus;
  readonly pages: GuestPages;

  constructor(guest: SnpGuest, store: TagStore, cpus: SnpCpus) {
    this.guest = guest;
    this.store = store;
    this.cpus = cpus;
    this.pages = { sept: guest.npt };
  }

  isInGuest(vcpu: number): boolean {
    return this.guest.word(vcpu, SNP_VCPU.RUNNING) !== 0;
  }

  tryEnter(vcpu: number): number {
    this.guest.enter(vcpu);
    return 0;
  }

  entered(): void {}

  leave(vcpu: number): void {
    this.guest.setWord(vcpu, SNP_VCPU.RUNNING, 0);
  }

  calledHost(vcpu: number): boolean {
    return getNumber(this.guest.exits[vcpu]!, RAX) === SVM_EXIT.VMGEXIT;
  }

  exitKind(vcpu: number): number {
    return this.cpus.kinds[vcpu]!;
  }

  untouched(start: number, end: number): number {
    const { npt } = this.guest;
    let bytes = 0;
    for (let at = start; at < end; at += PAGE) {
      npt.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
      if (npt.stateHere === SEPT_FREE) continue;
      const content = this.store.content(npt.frameHere);
      if (content === ZERO_CONTENT || content === SCRAMBLED_CONTENT) bytes += PAGE;
    }
    return bytes;
  }
}

import { GHCB_PAGE } from "../abi/snp/ghcb.ts";
import { RAX, RCX, REGS_LENGTH, type Regs, setHalves, setNumber } from "../abi/tdx/regs.ts";
import { NestedPageTable } from "./nested-page-table.ts";
import type { Rmp } from "./rmp.ts";

/** Words of a vCPU. */
export const SNP_VCPU = {
  /** 1 while it runs guest code. */
  RUNNING: 0,
  /** Privilege level, 0 to 3. */
  VMPL: 1,
} as const;
const VCPU_WORDS = 2;

/** The instruction did not retire: the vCPU left the guest with a nested page fault. */
export const NESTED_FAULT = -1;

/** What happens to the content of pages. A frame is a host frame. */
export interface PageContents {
  /** The pages were given to a guest or taken from it: their bytes are noise under the key that now reads them. */
  scramble(frame: number, count: number): void;
}

/** One SEV-SNP guest as hardware sees it: its address space number, nested page tables, vCPUs and GHCB pages. */
export class SnpGuest {
  readonly rmp: Rmp;
  readonly npt: NestedPageTable;
  readonly asid: number;
  readonly contents: PageContents | undefined;
  readonly words: Uint32Array;
  /** By vCPU: exit code in RAX, error code in RCX, guest-physical address in RDX, as halves. */
  readonly exits: readonly Regs[];
  /** By vCPU: the GHCB page, which is shared memory, and the GHCB MSR in two halves. */
  readonly ghcbs: readonly Uint8Array[];
  readonly msrs: Uint32Array;

  constructor(rmp: Rmp, asid: number, vcpus: number, contents?: PageContents) {
    this.rmp = rmp;
    this.asid = asid;
    this.npt = new NestedPageTable(rmp, asid);
    this.contents = contents;
    this.words = new Uint32Array(vcpus * VCPU_WORDS);
    const exits = new Uint32Array(vcpus * REGS_LENGTH);
    const pages = new Uint8Array(vcpus * GHCB_PAGE.BYTES);
    const each = Array.from({ length: vcpus }, (_, vcpu) => vcpu);
    this.exits = each.map((vcpu) => exits.subarray(vcpu * REGS_LENGTH, (vcpu + 1) * REGS_LENGTH));
    this.ghcbs = each.map((vcpu) => pages.subarray(vcpu * GHCB_PAGE.BYTES, (vcpu + 1) * GHCB_PAGE.BYTES));
    this.msrs = new Uint32Array(2 * vcpus);
    for (const vcpu of each) this.setWord(vcpu, SNP_VCPU.RUNNING, 1);
  }

  word(vcpu: number, word: number): number {
    return this.words[vcpu * VCPU_WORDS + word]!;
  }

  setWord(vcpu: number, word: number, value: number): void {
    this.words[vcpu * VCPU_WORDS + word] = value;
  }

  /** The vCPU leaves the guest; the error code is in halves. */
  leave(vcpu: number, code: number, errorLo = 0, errorHi = 0, gpa = 0): void {
    const exit = this.exits[vcpu]!;
    setNumber(exit, RAX, code);
    setHalves(exit, RCX, errorLo >>> 0, errorHi);
    setNumber(exit, EXIT_GPA, gpa);
    this.setWord(vcpu, SNP_VCPU.RUNNING, 0);
  }

  enter(vcpu: number): void {
    this.setWord(vcpu, SNP_VCPU.RUNNING, 1);
  }
}

/** Register of the exit record that holds the guest-physical address. */
export const EXIT_GPA = 2;

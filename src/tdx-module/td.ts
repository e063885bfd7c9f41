import type { Regs } from "../abi/tdx/regs.ts";
import { REGS_LENGTH } from "../abi/tdx/regs.ts";
import { CONFIG_FLAGS_LO, TD_CTLS_LO } from "../abi/tdx/td-controls.ts";
import { LIFECYCLE } from "../abi/tdx/td-state.ts";
import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";
import { capacityFor, grown32 } from "../flat/growth.ts";
import { Locks } from "./locks.ts";
import { Sept } from "./sept.ts";
import { TD_WORD, TD_WORDS, VCPU_WORD, VCPU_WORDS } from "./td-words.ts";

export { getWord64, LAST_EXIT, setWord64, TD_WORD, VCPU_STATE, VCPU_WORD } from "./td-words.ts";

/**
 * One trust domain: control state, vCPUs, secure EPT, and the locks that somebody else holds. All flat.
 *
 * @missing service TDs, partitioning, migration
 */
export class Td implements Flat {
  /** Number of the TD in its module; its owner number in the PAMT is one more. */
  readonly number: number;
  readonly words = new Uint32Array(TD_WORDS);
  readonly sept: Sept;
  readonly locks = new Locks();
  vcpus: Uint32Array;

  constructor(number: number, vcpus = 4, septSlots = 8) {
    this.number = number;
    this.vcpus = new Uint32Array(vcpus * VCPU_WORDS);
    this.sept = new Sept(septSlots);
  }

  /** Back to a TD that does not exist. */
  reset(): void {
    this.words.fill(0);
    this.vcpus.fill(0);
    this.locks.releaseAll();
  }

  get isAlive(): boolean {
    return this.words[TD_WORD.ALIVE] !== 0;
  }
  get opState(): number {
    return this.words[TD_WORD.OP_STATE]!;
  }
  get lifecycle(): number {
    return this.words[TD_WORD.LIFECYCLE]!;
  }
  get hasKeys(): boolean {
    return this.words[TD_WORD.LIFECYCLE] === LIFECYCLE.KEYS_CONFIGURED;
  }
  get gpaw(): number {
    return this.words[TD_WORD.GPAW]!;
  }
  /** Bytes of private guest-physical address space. */
  get privateBytes(): number {
    return 2 ** (32 + this.words[TD_WORD.PRIVATE_HI_BITS]!);
  }
  /** The shared bit as a number: a GPA plus this is the same GPA, shared. */
  get sharedBit(): number {
    return 2 ** (this.gpaw - 1);
  }
  hasConfigFlag(flag: keyof typeof CONFIG_FLAGS_LO): boolean {
    return (this.words[TD_WORD.CONFIG_FLAGS]! & CONFIG_FLAGS_LO[flag]) !== 0;
  }
  get pendingVeDisabled(): boolean {
    return (this.words[TD_WORD.TD_CTLS]! & TD_CTLS_LO.PENDING_VE_DISABLE) !== 0;
  }
  get vcpuCount(): number {
    return this.words[TD_WORD.VCPUS_CREATED]!;
  }
  /** vCPUs that run their guest now. */
  get vcpusInside(): number {
    return this.words[TD_WORD.REFCOUNT]! + this.words[TD_WORD.REFCOUNT + 1]!;
  }
  get epoch(): number {
    return this.words[TD_WORD.TD_EPOCH]!;
  }

  /** One word of a vCPU. */
  vcpu(vcpu: number, field: number): number {
    return this.vcpus[vcpu * VCPU_WORDS + field]!;
  }
  setVcpu(vcpu: number, field: number, value: number): void {
    this.vcpus[vcpu * VCPU_WORDS + field] = value;
  }
  /** Index of a vCPU's word in `vcpus`, for code that reads several. */
  vcpuAt(vcpu: number, field: number): number {
    return vcpu * VCPU_WORDS + field;
  }
  /** The register set that the last TD exit of a vCPU gave the host. Aliases the state; growth detaches it. */
  exitRegs(vcpu: number): Regs {
    const at = vcpu * VCPU_WORDS + VCPU_WORD.EXIT_REGS;
    return this.vcpus.subarray(at, at + REGS_LENGTH);
  }
  /** Makes room for one vCPU more. */
  reserveVcpu(count: number): void {
    const room = capacityFor(this.vcpus.length / VCPU_WORDS, count);
    if (room * VCPU_WORDS > this.vcpus.length) this.vcpus = grown32(this.vcpus, room * VCPU_WORDS);
  }

  /** An interrupt becomes pending for the vCPU at the `polls`-th poll from now; 1 is the very next. */
  interruptIn(vcpu: number, polls: number): void {
    this.setVcpu(vcpu, VCPU_WORD.INTERRUPT_IN, polls);
  }
  /** The interrupt was delivered, or none is coming. */
  clearInterrupt(vcpu: number): void {
    this.setVcpu(vcpu, VCPU_WORD.INTERRUPT_IN, 0);
  }

  /**
   * Whether no vCPU can still hold a translation that was valid when the page was blocked.
   *
   * @source TDX module 1.5.25, TLB tracking
   */
  isTracked(bepoch: number): boolean {
    const epoch = this.words[TD_WORD.TD_EPOCH]!;
    if (bepoch < epoch - 1) return true;
    return bepoch === epoch - 1 && this.words[TD_WORD.REFCOUNT + (bepoch & 1)] === 0;
  }

  /** Control state, vCPUs and locks; the secure EPT is a flat state of its own. */
  flat(): readonly FlatRange[] {
    return [
      range(this.words, TD_WORDS),
      range(this.vcpus, this.vcpuCount * VCPU_WORDS),
      ...this.locks.flat(),
    ];
  }

  reserve(): void {
    this.reserveVcpu(this.vcpuCount);
    this.vcpus.fill(0, this.vcpuCount * VCPU_WORDS);
  }
}

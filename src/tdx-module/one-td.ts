import { TDG, TDH, type TdgLeaf, type TdhLeaf } from "../abi/tdx/leaves.ts";
import {
  getBig,
  newRegs,
  RAX,
  REGISTER_NAMES,
  type RegisterName,
  type Regs,
  setBig,
} from "../abi/tdx/regs.ts";
import { SEPT_STATES, type SeptState } from "../abi/tdx/sept-entry.ts";
import type { Status } from "../abi/tdx/status.ts";
import { GIB } from "../units.ts";
import { addTables, createTd, enterVcpu, framesFrom, type TdOptions, tdrOf } from "./create-td.ts";
import { type ModuleOptions, TdxModule } from "./module.ts";
import type { Outcome } from "./outcome.ts";
import { TagStore } from "./page-store.ts";
import { seamcall } from "./seamcall.ts";
import type { Td } from "./td.ts";
import { tdcall } from "./tdcall.ts";

export type Operands = { readonly [register in RegisterName]?: number | bigint };

export interface OneTdOptions extends Omit<TdOptions, "takeFrame"> {
  readonly module?: Partial<ModuleOptions>;
}

/**
 * A module with one TD, and the calls of its host and its guest by name: for tests, examples, benchmarks.
 * Host memory is one TDMR from 1 GiB on; control pages come from its start, pages for the guest from `pages`.
 */
export class OneTd {
  readonly module: TdxModule;
  readonly td: Td;
  readonly content: TagStore;
  /** Registers of the last host call and of the last guest call. */
  readonly host: Regs = newRegs();
  readonly guest: Regs = newRegs();
  /** Gives a free host frame for a control page or a table. */
  readonly takeFrame: () => number;
  private nextPage: number;

  constructor(options: OneTdOptions = {}) {
    this.content = new TagStore();
    this.module = new TdxModule({
      tdmrs: [{ base: GIB, size: 4 * GIB }],
      pages: this.content,
      ...options.module,
    });
    const first = this.module.pamt.tdmrs.firstFrame;
    this.takeFrame = framesFrom(first);
    this.nextPage = first + (256 * 2 ** 20) / 4096;
    this.td = createTd(this.module, { ...options, takeFrame: this.takeFrame });
  }

  /** Handle of the TD for SEAMCALLs. */
  get tdr(): number {
    return tdrOf(this.td);
  }

  /** One SEAMCALL. Registers that are left out are zero. */
  seamcall(leaf: TdhLeaf | number, operands: Operands = {}, version = 0): Status {
    load(this.host, typeof leaf === "number" ? leaf : TDH[leaf], operands, version);
    return seamcall(this.module, this.host);
  }

  /** One memory SEAMCALL on a GPA and level, with the TDR in RDX. */
  onPage(leaf: TdhLeaf, gpa: number, level = 0, operands: Operands = {}): Status {
    return this.seamcall(leaf, { RCX: gpa + level, RDX: this.tdr, ...operands });
  }

  /** One TDCALL. Registers that are left out are zero. */
  tdcall(leaf: TdgLeaf | number, operands: Operands = {}, version = 0, vcpu = 0): Outcome {
    load(this.guest, typeof leaf === "number" ? leaf : TDG[leaf], operands, version);
    return tdcall(this.module, this.td, vcpu, this.guest);
  }

  accept(gpa: number, level = 0, vcpu = 0): Outcome {
    return this.tdcall("TDG.MEM.PAGE.ACCEPT", { RCX: gpa + level }, 0, vcpu);
  }

  /** Adds the tables that an entry at `level` for `gpa` needs. */
  tables(gpa: number, level = 0): void {
    addTables(this.module, this.td, gpa, level, this.takeFrame);
  }

  /** A free host page of a level, in bytes. Each call gives another. */
  page(level = 0): number {
    const frames = 512 ** level;
    const frame = Math.ceil(this.nextPage / frames) * frames;
    this.nextPage = frame + frames;
    return frame * 4096;
  }

  /** TDH.MEM.PAGE.AUG with a fresh host page, tables included; answers the page's host frame. */
  aug(gpa: number, level = 0): number {
    this.tables(gpa, level);
    const page = this.page(level);
    this.must(this.onPage("TDH.MEM.PAGE.AUG", gpa, level, { R8: page }));
    return page / 4096;
  }

  block(gpa: number, level = 0): Status {
    return this.onPage("TDH.MEM.RANGE.BLOCK", gpa, level);
  }
  track(): Status {
    return this.seamcall("TDH.MEM.TRACK", { RCX: this.tdr });
  }
  enter(vcpu = 0): void {
    enterVcpu(this.module, this.td, vcpu);
  }

  /** State of the entry at `level` for `gpa`, or `above` if the walk ends earlier. */
  stateOf(gpa: number, level = 0): SeptState | "above" {
    this.td.sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), level);
    return this.td.sept.level === level ? SEPT_STATES[this.td.sept.stateHere]! : "above";
  }

  private must(result: Status): void {
    if (result !== 0) throw new Error(`a step that sets a scene answers SUCCESS, not ${result}`);
  }
}

const load = (regs: Regs, leaf: number, operands: Operands, version: number): void => {
  regs.fill(0);
  regs[2 * RAX] = leaf + version * 0x1_0000;
  for (const [name, value] of Object.entries(operands)) {
    setBig(regs, REGISTER_NAMES.indexOf(name as RegisterName), BigInt(value));
  }
};

/** A register as hexadecimal digits, without leading zeros. */
export const hex = (regs: Regs, register: number): string => getBig(regs, register).toString(16);

import { TDH, type TdhLeaf } from "../../abi/tdx/leaves.ts";
import { getBig, newRegs, RAX, REGISTER_NAMES, type RegisterName, setBig } from "../../abi/tdx/regs.ts";
import { statusText } from "../../abi/tdx/status.ts";
import { encodeTdmrInfo, type TdmrInfo } from "../../abi/tdx/tdmr-info.ts";
import { type ModuleOptions, TdxModule } from "../module.ts";
import { seamcall } from "../seamcall.ts";
import type { SysInfo } from "../sys-info.ts";

type Operands = { readonly [register in RegisterName]?: number | bigint };

const GIB = 1n << 30n;
const INFOS = 0x10_0000;
const ARRAY = 0x8_0000;

/** 8 GiB of convertible memory from 1 MiB on, two processors on two packages. */
export const PLATFORM: SysInfo = {
  cmrs: [{ base: 0x10_0000n, size: 8n * GIB - 0x10_0000n }],
  logicalProcessors: 2,
  packages: 2,
};

/** One TDMR of 2 GiB at 4 GiB, its metadata at 1 GiB: 8 MiB, 16 KiB and 4 KiB. */
export const TDMR: TdmrInfo = {
  base: 4n * GIB,
  size: 2n * GIB,
  pamt4K: { base: GIB, size: 0x80_0000n },
  pamt2M: { base: GIB + 0x80_0000n, size: 0x4000n },
  pamt1G: { base: GIB + 0x80_4000n, size: 0x1000n },
  reserved: [],
};

/** A module as it is loaded, and the calls of its host by name. */
export class BareModule {
  readonly module: TdxModule;
  readonly regs = newRegs();

  constructor(sys: Partial<SysInfo> = {}, options: Partial<ModuleOptions> = {}) {
    this.module = new TdxModule({ sys: { ...PLATFORM, ...sys }, ...options });
  }

  /** The status as text. Registers that are left out are zero. */
  call(leaf: TdhLeaf, operands: Operands = {}, { lp = 0, version = 0 } = {}): string {
    this.regs.fill(0);
    for (const [name, value] of Object.entries(operands)) {
      setBig(this.regs, REGISTER_NAMES.indexOf(name as RegisterName), BigInt(value));
    }
    setBig(this.regs, RAX, BigInt(TDH[leaf] + version * 0x1_0000));
    this.module.lp = lp;
    return statusText(seamcall(this.module, this.regs));
  }
  register(r: number): bigint {
    return getBig(this.regs, r);
  }

  /** TDH.SYS.INIT, and TDH.SYS.LP.INIT on every processor. */
  start(): this {
    this.call("TDH.SYS.INIT");
    for (let lp = 0; lp < this.module.sysInfo.logicalProcessors; lp++)
      this.call("TDH.SYS.LP.INIT", {}, { lp });
    return this;
  }

  /** TDH.SYS.CONFIG with these TDMRs, key id 32 and version 0 unless told otherwise. */
  config(tdmrs: readonly TdmrInfo[], options: Operands = {}, version = 0): string {
    const array = new DataView(new ArrayBuffer(8 * tdmrs.length));
    tdmrs.forEach((tdmr, i) => {
      this.module.host.write(INFOS + 512 * i, encodeTdmrInfo(tdmr));
      array.setBigUint64(8 * i, BigInt(INFOS + 512 * i), true);
    });
    this.module.host.write(ARRAY, new Uint8Array(array.buffer));
    return this.call("TDH.SYS.CONFIG", { RCX: ARRAY, RDX: tdmrs.length, R8: 32, ...options }, { version });
  }

  /** Everything up to a module that is ready: TDMR, key on both packages, metadata made. */
  bringUp(options: Operands = {}, version = 0): this {
    this.start().config([TDMR], options, version);
    const { logicalProcessors } = this.module.sysInfo;
    for (let lp = 0; lp < logicalProcessors; lp++) this.call("TDH.SYS.KEY.CONFIG", {}, { lp });
    while (this.call("TDH.SYS.TDMR.INIT", { RCX: TDMR.base }) === "SUCCESS");
    return this;
  }
}

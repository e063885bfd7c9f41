import { getNumber, lo, R8, R9, RAX, RCX, RDX, type Regs, setHalves, setNumber } from "../../abi/tdx/regs.ts";
import { ATTRIBUTES_LO, CONFIG_FLAGS_LO, TD_CTLS_LO } from "../../abi/tdx/td-controls.ts";
import { AGAIN, type Frame, type Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";

const TDG_VP_INFO = 1;
const TDG_VM_RD = 7;
const TDG_VM_WR = 8;

/** Metadata fields as Linux names them, high and low half. @source Linux arch/x86/include/asm/shared/tdx.h */
const FIELD = {
  CONFIG_FLAGS: [0x1110_0003, 0x16],
  TD_CTLS: [0x1110_0003, 0x17],
  NOTIFY_ENABLES: [0x9100_0000, 0x10],
  TOPOLOGY_ENUM_CONFIGURED: [0x9100_0000, 0x19],
} as const;

const MISCONFIGURED = "TD misconfiguration: SEPT #VE has to be disabled";
const NO_TOPOLOGY = "tdx: VMM did not configure X2APIC_IDs properly";

/** @returns the status, or negative if the instruction did not retire */
const readField = (k: Kernel, vcpu: number, field: readonly [number, number]): number => {
  const regs: Regs = k.hw.regs(vcpu);
  setNumber(regs, RAX, TDG_VM_RD);
  setNumber(regs, RCX, 0);
  setHalves(regs, RDX, field[1], field[0]);
  return k.hw.tdcall(vcpu);
};

/** The value that readField() brought; 0 after a failure, where Linux would look at an unset variable. */
const value = (k: Kernel, vcpu: number, status: number): number =>
  status === 0 ? lo(k.hw.regs(vcpu), R8) : 0;

const writeField = (
  k: Kernel,
  vcpu: number,
  field: readonly [number, number],
  bits: number,
  mask = bits,
): number => {
  const regs: Regs = k.hw.regs(vcpu);
  setNumber(regs, RAX, TDG_VM_WR);
  setNumber(regs, RCX, 0);
  setHalves(regs, RDX, field[1], field[0]);
  setNumber(regs, R8, bits);
  setHalves(regs, R9, mask, mask < 0 ? 0xffff_ffff : 0);
  return k.hw.tdcall(vcpu);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("tdx_early_init", {
  args: [],
  locals: ["attributes", "gpaWidth"],
  steps: [
    ...["info", "notify", "flags", "controls", "disableVe"],
    ...["reduceVe", "topology", "enumerate"],
  ] as ["info", "notify", "flags", "controls", "disableVe", "reduceVe", "topology", "enumerate"],
});

/** 6.12 is done here; later kernels go on to ask for fewer #VE. */
const veDisabled = (k: Kernel, f: Frame<Kernel>): Next =>
  k.variant.reducesUnnecessaryVe ? at.reduceVe : f.returns(0);

/** The TD cannot change SEPT_VE_DISABLE itself: what the host set decides. */
const fixedVe = (k: Kernel, f: Frame<Kernel>): Next => {
  const attributes = f.get(v.attributes);
  if ((attributes & ATTRIBUTES_LO.SEPT_VE_DISABLE) !== 0) return veDisabled(k, f);
  if ((attributes & ATTRIBUTES_LO.DEBUG) === 0) return panic(k, MISCONFIGURED);
  k.printk(`tdx: ${MISCONFIGURED}`);
  return veDisabled(k, f);
};

/**
 * A TD's first calls: VP.INFO, no notifications, #VE for pending pages off, and in newer kernels fewer #VE.
 * CONFIG_FLAGS stay in k.cpus.configFlags. A TD whose pending pages raise #VE, and which may not change that,
 * stops here unless it is a debug TD. Returns 0.
 *
 * @source Linux arch/x86/coco/tdx/tdx.c, tdx_early_init, tdx_setup, disable_sept_ve, reduce_unnecessary_ve
 * @missing TDG.VP.VMCALL<ReportFatalError> with the message: the guest panics instead
 */
export const tdxEarlyInit = define({
  info: (k, f) => {
    const regs = k.hw.regs(f.vcpu);
    setNumber(regs, RAX, TDG_VP_INFO);
    const status = k.hw.tdcall(f.vcpu);
    if (status < 0) return AGAIN;
    if (status !== 0) return panic(k, `TDCALL ${TDG_VP_INFO} failed (Buggy TDX module!)`);
    f.set(v.attributes, lo(regs, RDX));
    f.set(v.gpaWidth, getNumber(regs, RCX) % 64);
    k.cpus.gpaWidth = f.get(v.gpaWidth);
    return at.notify;
  },
  notify: (k, f) => (writeField(k, f.vcpu, FIELD.NOTIFY_ENABLES, 0, -1) < 0 ? AGAIN : at.flags),
  flags: (k, f) => {
    const status = readField(k, f.vcpu, FIELD.CONFIG_FLAGS);
    if (status < 0) return AGAIN;
    k.cpus.configFlags = value(k, f.vcpu, status);
    return (k.cpus.configFlags & CONFIG_FLAGS_LO.FLEXIBLE_PENDING_VE) !== 0 ? at.controls : fixedVe(k, f);
  },
  controls: (k, f) => {
    const status = readField(k, f.vcpu, FIELD.TD_CTLS);
    if (status < 0) return AGAIN;
    const disabled = (value(k, f.vcpu, status) & TD_CTLS_LO.PENDING_VE_DISABLE) !== 0;
    const debug = (f.get(v.attributes) & ATTRIBUTES_LO.DEBUG) !== 0;
    return disabled || debug ? veDisabled(k, f) : at.disableVe;
  },
  disableVe: (k, f) =>
    writeField(k, f.vcpu, FIELD.TD_CTLS, TD_CTLS_LO.PENDING_VE_DISABLE) < 0 ? AGAIN : veDisabled(k, f),
  reduceVe: (k, f) => {
    const status = writeField(k, f.vcpu, FIELD.TD_CTLS, TD_CTLS_LO.REDUCE_VE);
    if (status < 0) return AGAIN;
    return status === 0 ? f.returns(0) : at.topology;
  },
  topology: (k, f) => {
    const status = readField(k, f.vcpu, FIELD.TOPOLOGY_ENUM_CONFIGURED);
    if (status < 0) return AGAIN;
    if (value(k, f.vcpu, status) !== 0) return at.enumerate;
    k.printk(NO_TOPOLOGY);
    return f.returns(0);
  },
  enumerate: (k, f) =>
    writeField(k, f.vcpu, FIELD.TD_CTLS, TD_CTLS_LO.ENUM_TOPOLOGY) < 0 ? AGAIN : f.returns(0),
});

import { Rmp } from "../snp/rmp.ts";
import { SnpGuest } from "../snp/snp-guest.ts";
import { createTd, tdrOf } from "../tdx-module/create-td.ts";
import { TdxModule } from "../tdx-module/module.ts";
import { TagStore } from "../tdx-module/page-store.ts";
import { removePages } from "../tdx-module/remove-run.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import { VCPU_STATE, VCPU_WORD } from "../tdx-module/td.ts";
import { GIB, TIB } from "../units.ts";
import { SEAMCALL_EVENT, type VmmSink } from "../vmm/events.ts";
import type { HostAllocation } from "../vmm/host-use.ts";
import { layoutEnd } from "../vmm/layout.ts";
import type { SeamcallPort } from "../vmm/seam.ts";
import { sharedFrame } from "../vmm/shared-fault.ts";
import { Vmm } from "../vmm/vmm.ts";
import type { MachineConfig } from "./config.ts";
import type { Injector } from "./faults/injector.ts";
import { SnpInjector } from "./faults/snp-injector.ts";
import type { GuestPlatform } from "./guest-platform.ts";
import { type CpuObserver, GuestCpus } from "./hardware.ts";
import { SnpCpus } from "./snp-cpus.ts";
import { SnpPlatform } from "./snp-platform.ts";
import { moduleOf } from "./td-host.ts";
import { TdxPlatform } from "./tdx-platform.ts";

/** Host memory that private pages and tables come from: above the host's own first 4 GiB. */
const HOST_BASE = 4 * GIB;
const HOST_SIZE = 15 * TIB;
/** Address space number of the guest. */
const SNP_ASID = 1;
/** Control pages of the TD come from below it. */
const CONTROL_BASE = 2 * GIB;
/** CONFIG_FLAGS: FLEXIBLE_PENDING_VE, NO_RBP_MOD; PAGE_RELEASE on request. */
const CONFIG_FLAGS = 0x6n;
const CONFIG_PAGE_RELEASE = 0x40n;

/** Width of guest-physical addresses: 52 bits as hardware has, or one more where memory reaches beyond. */
const gpaWidth = (config: MachineConfig): number =>
  config.gpaw ?? (layoutEnd(config.layout) > 2 ** 51 ? 53 : 52);

/** A guest and the VMM that runs it. */
export interface Host {
  readonly platform: GuestPlatform;
  readonly vmm: Vmm;
}

/** SEAMCALL of the VMM; a machine on which nothing fails pays nothing for it. */
export const seamcallPort = (module: TdxModule, injector: Injector | undefined): SeamcallPort => {
  if (injector === undefined) return (regs) => seamcall(module, regs);
  return (regs) => {
    injector.seamcall(regs);
    return seamcall(module, regs);
  };
};

/** What of the machine the parts of a host report to. */
export interface HostWatchers {
  readonly sink: VmmSink;
  readonly observer: CpuObserver;
  readonly injector: Injector | undefined;
}

/** What every VMM is made of. */
const vmmConfigOf = (config: MachineConfig) => ({
  ...config,
  host:
    config.host === undefined
      ? { base: HOST_BASE, size: HOST_SIZE }
      : { base: 0, size: HOST_BASE + HOST_SIZE, lender: config.host.memory },
  gpaw: gpaWidth(config),
  backends: config.dimms.map(({ id, size }) => ({ id, size })),
  dimms: config.dimms.map(({ id, size: _, ...rest }) => ({ memdev: id, ...rest })),
});

/** Host memory that cannot be had, on a machine on which something fails. */
const hostFaults = (injector: Injector | undefined) =>
  injector === undefined
    ? {}
    : { allocationFails: (what: HostAllocation) => injector.hostAllocationFails(what) };

/** A module that covers all memory, for this one TD. */
const ownModule = (config: MachineConfig) => {
  const module = new TdxModule({
    tdmrs: [{ base: 0, size: HOST_BASE + HOST_SIZE, reserved: [] }],
    behaviour: config.moduleBehaviour ?? {},
    maxTds: 1,
  });
  let frame = CONTROL_BASE / 4096;
  return { module, takeFrame: () => frame++ };
};

/** The TDX module, the TD built through SEAMCALLs, and the VMM that runs it. */
const tdxHost = (config: MachineConfig, { sink, observer, injector }: HostWatchers): Host => {
  const { module, ...frames } = config.host === undefined ? ownModule(config) : moduleOf(config.host);
  const td = createTd(module, {
    ...frames,
    vcpus: config.vcpus,
    configFlags: CONFIG_FLAGS | (config.pageRelease ? CONFIG_PAGE_RELEASE : 0n),
    gpaw: gpaWidth(config),
  });
  const pairs = config.host?.pairs;
  const vmm = new Vmm({
    ...vmmConfigOf(config),
    ...hostFaults(injector),
    ...(pairs === undefined ? {} : { pairs }),
    seamcall: seamcallPort(module, injector),
    removePages: (frame, count) => {
      if (injector !== undefined || sink.isUnseen !== true) return 0;
      const pages = removePages(module, td, frame, count);
      sink.removed?.(pages);
      return pages;
    },
    exitRegs: (vcpu) => platform.exitRegs(vcpu),
    inGuest: (vcpu) => td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE,
    sink,
  });
  vmm.attach(tdrOf(td) / 4096, 0);
  if (pairs !== undefined) {
    pairs.onCall = (leaf, result) => sink.emit(SEAMCALL_EVENT, leaf, 0, 0, result, 0);
    pairs.beforeCall = injector === undefined ? undefined : (regs) => injector.seamcall(regs);
  }
  const sharedEpt = {
    at: (frame: number) => sharedFrame(vmm, frame),
    raisesVe: vmm.policy.sharedMiss === "ve",
  };
  const cpus = new GuestCpus(module, td, config.vcpus, { observer, injector, sharedEpt });
  const platform = new TdxPlatform(module, td, cpus, injector);
  return { platform, vmm };
};

/** A guest of SEV-SNP, and the VMM that runs it. */
const snpHost = (config: MachineConfig, { sink, observer, injector }: HostWatchers): Host => {
  const store = new TagStore();
  const guest = new SnpGuest(new Rmp(0, HOST_BASE + HOST_SIZE), SNP_ASID, config.vcpus, store);
  const faults = injector === undefined ? undefined : new SnpInjector(injector);
  const rmpFaults = faults === undefined ? {} : { rmpFaults: faults };
  const vmm = new Vmm({ ...vmmConfigOf(config), ...hostFaults(injector), snp: guest, sink, ...rmpFaults });
  const cpus = new SnpCpus(guest, store, config.vcpus, {
    observer,
    faults,
    hostShares: (frame) => sharedFrame(vmm, frame),
  });
  return { platform: new SnpPlatform(guest, store, cpus), vmm };
};

/** @throws VmmError for a machine that QEMU would not start */
export const buildHost = (config: MachineConfig, watchers: HostWatchers): Host =>
  config.platform === "snp" ? snpHost(config, watchers) : tdxHost(config, watchers);

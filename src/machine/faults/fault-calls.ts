import { EFI_STATUS } from "../../abi/efi/status.ts";
import { PSMASH_RESULT, PVALIDATE_RESULT, RMPUPDATE_RESULT } from "../../abi/snp/rmp-entry.ts";
import {
  LEAF_STATUSES,
  type LeafStatuses,
  type LeafWithStatuses,
  leafStatus,
} from "../../abi/tdx/leaf-statuses.ts";
import { TDG, TDH } from "../../abi/tdx/leaves.ts";
import type { StatusName } from "../../abi/tdx/status.ts";
import { VIRTIO_MEM_REQUEST, type VirtioMemRequestType } from "../../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_ANSWERS, VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import { ERRNO } from "../../linux/errno.ts";
import { FAULT_POINT, type FaultPoint } from "../../linux/fault-points.ts";
import { HOST_KERNEL_ALLOCATION } from "../../tdx-host/host-kernel.ts";
import { INTERRUPTED } from "../../tdx-module/outcome.ts";
import { HOST_ALLOCATION } from "../../vmm/host-use.ts";
import { INJECT_BAD_ENTRY, INJECT_BAD_HEADER } from "../../vmm/snp/page-state-change.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";
import { INJECT_FAILURE, INJECT_RETRY } from "../../vmm/vmcall.ts";
import { TD_BUILD } from "../td-build.ts";

/** Which boundary a call crosses. */
export type FaultBoundary =
  | "tdcall"
  | "mapgpa"
  | "seamcall"
  | "virtio-mem"
  | "acpi"
  | "guest"
  | "snp"
  | "cpu"
  | "vmm"
  | "creation"
  | "firmware"
  | "host";

/** A call that can answer something else than it would. */
export interface FaultCall {
  readonly name: string;
  readonly boundary: FaultBoundary;
  /** Leaf, request type, ACPI method or point in the guest, by boundary. */
  readonly code: number;
  /** What it may answer instead, by the names that a scenario uses. */
  readonly answers: ReadonlyMap<string, number>;
  /** Those of its answers that software has to live with: what a swarm draws from. */
  readonly survivable: readonly string[];
}

/** The call gives its own answer and is only late. */
export const OWN_ANSWER = -100;

/** Control methods of a memory device, as the register block sees them. */
export const ACPI_METHOD = { _STA: 0, _CRS: 1, _EJ0: 2, _OST: 3, _PXM: 4, MSCN: 5 } as const;
/** What an ACPI method does instead: nothing at all, or a lie about the slot. */
export const ACPI_ANSWER = { IGNORED: 0, ABSENT: 1, PRESENT: 2, EMPTY: 3, UNKNOWN: 4 } as const;

/** Boot services that the stub calls. */
export const EFI_SERVICE = {
  GetMemoryMap: 0,
  AllocatePool: 1,
  InstallConfigurationTable: 2,
  ExitBootServices: 3,
  AllowUnacceptedMemory: 4,
} as const;

/** What an SNP guest and its host ask of the processor and of each other. */
export const SNP_FAULT = {
  PVALIDATE: 0,
  RESCIND: 1,
  PSC: 2,
  PSC_BY_MSR: 3,
  RMPUPDATE: 4,
  PSMASH: 5,
} as const;

/** A load or store of the guest. */
export const CPU_ACCESS = 0;

const call = (
  name: string,
  boundary: FaultBoundary,
  code: number,
  answers: { readonly [answer: string]: number },
  survivable: readonly string[] = [],
): FaultCall => ({ name, boundary, code, answers: new Map(Object.entries(answers)), survivable });

const leaf = (
  name: LeafWithStatuses,
  boundary: "tdcall" | "seamcall" | "creation",
  code: number,
  survivable: readonly string[] = [],
  more: { readonly [answer: string]: number } = {},
): FaultCall => {
  const statuses: LeafStatuses = LEAF_STATUSES[name];
  const names = Object.keys(statuses) as StatusName[];
  const answers = Object.fromEntries(names.map((kind) => [kind, leafStatus(name, kind) ?? 0]));
  return call(name, boundary, code, { ...answers, ...more }, survivable);
};

const BUSY = ["OPERAND_BUSY"];
/** Results other than success. */
const failing = ({ SUCCESS: _, ...results }: { readonly [name: string]: number }) => results;

/** What a request may meet instead of its ACK, by the specification; or a device that never answers. */
const request = (name: VirtioMemRequestType, survivable: readonly string[] = []): FaultCall => {
  const refusals = VIRTIO_MEM_ANSWERS[name].filter((answer) => answer !== "ACK");
  const answers = Object.fromEntries(refusals.map((answer) => [answer, VIRTIO_MEM_RESPONSE[answer]]));
  const { [name]: type } = VIRTIO_MEM_REQUEST;
  return call(`virtio-mem ${name}`, "virtio-mem", type, { ...answers, NO_REPLY }, survivable);
};

const guest = (
  point: FaultPoint,
  errors: readonly (keyof typeof ERRNO)[],
  survivable: readonly string[] = [],
) =>
  call(
    point,
    "guest",
    FAULT_POINT[point],
    Object.fromEntries(errors.map((name) => [`-${name}`, ERRNO[name]])),
    survivable,
  );

/** Page state changes by request buffer: nothing done yet, or the errors that SW_EXITINFO2 can have. */
const PSC_ANSWERS = {
  RETRY: INJECT_RETRY,
  GENERIC: INJECT_FAILURE,
  INVALID_HEADER: INJECT_BAD_HEADER,
  INVALID_ENTRY: INJECT_BAD_ENTRY,
};

/** What a scenario's host calls while it brings TDX up, and what its kernel has to live with. */
const HOST_LEAVES = [
  ["TDH.SYS.INIT", []],
  ["TDH.SYS.LP.INIT", []],
  ["TDH.SYS.RD", []],
  ["TDH.SYS.CONFIG", []],
  ["TDH.SYS.KEY.CONFIG", []],
  ["TDH.SYS.TDMR.INIT", []],
  ["TDH.EXT.MEM.ADD", ["INTERRUPTED_RESUMABLE"]],
  ["TDH.EXT.INIT", ["INTERRUPTED_RESUMABLE"]],
] as const satisfies readonly (readonly [LeafWithStatuses, readonly StatusName[]])[];

/** What is called while a TD is made, and what KVM has to live with. */
const CREATION_LEAVES = [
  ["TDH.MNG.CREATE", ["RND_NO_ENTROPY"]],
  ["TDH.MNG.KEY.CONFIG", ["RND_NO_ENTROPY"]],
  ["TDH.MNG.ADDCX", []],
  ["TDH.MNG.INIT", []],
  ["TDH.VP.CREATE", []],
  ["TDH.VP.ADDCX", []],
  ["TDH.VP.INIT", []],
  ["TDH.MEM.PAGE.ADD", []],
  ["TDH.MR.FINALIZE", []],
  ["TDH.MR.EXTEND", []],
] as const satisfies readonly (readonly [LeafWithStatuses, readonly StatusName[]])[];

/** Whether a call is made before virtual time begins, for the TD that is to be or by its firmware and stub. */
export const isCreationCall = ({ boundary }: FaultCall): boolean =>
  boundary === "creation" || boundary === "firmware";

/** Whether a call is the host's own, which takes no virtual time. */
export const isHostCall = ({ name, boundary }: FaultCall): boolean =>
  boundary === "host" || HOST_LEAVES.some(([leafName]) => leafName === name);

/** Allocations of the host's kernel while it brings TDX up, and of guest_memfd for other TDs. */
const HOST_MEMORY = [
  ["host allocation of PAMT", HOST_KERNEL_ALLOCATION.PAMT],
  ["host allocation of TDMR_INFO", HOST_KERNEL_ALLOCATION.TDMR_INFO],
  ["host allocation of the extension pool", HOST_KERNEL_ALLOCATION.EXTENSION_POOL],
  ["host allocation of private memory", HOST_KERNEL_ALLOCATION.PRIVATE_MEMORY],
] as const;

const { EFI_OUT_OF_RESOURCES, EFI_INVALID_PARAMETER, EFI_UNSUPPORTED } = EFI_STATUS;
/** What a boot service answers instead. A map that changed since it was read is read again. */
const EFI_CALLS = [
  ["GetMemoryMap", { EFI_OUT_OF_RESOURCES }, []],
  ["AllocatePool", { EFI_OUT_OF_RESOURCES }, []],
  ["InstallConfigurationTable", { EFI_OUT_OF_RESOURCES, EFI_INVALID_PARAMETER }, []],
  ["ExitBootServices", { EFI_INVALID_PARAMETER }, ["EFI_INVALID_PARAMETER"]],
  ["AllowUnacceptedMemory", { EFI_UNSUPPORTED }, ["EFI_UNSUPPORTED"]],
] as const;

/**
 * Every call that a fault can strike. A leaf answers what its own completion statuses are, a device what its
 * specification lets it say, a point of the guest what its callers have to expect.
 *
 * Linux makes no RMPADJUST of memory at VMPL 0, so none can fail.
 *
 * @source virtio 1.3, "Memory Device", responses; ACPI 6.5, 6.3; QEMU hw/acpi/memory_hotplug.c (AML); UEFI 2.10, chapter 7; Linux
 *   mm/fail_page_alloc.c, mm/memory_hotplug.c, mm/memblock.c, mm/page_ext.c; GHCI, TDG.VP.VMCALL<MapGPA>; Intel TDX module base specification, memory integrity: a failure is a machine check, and the TD
 *   runs no more
 */
export const FAULT_CALLS: readonly FaultCall[] = [
  leaf("TDG.VP.INFO", "tdcall", TDG["TDG.VP.INFO"]),
  leaf("TDG.VM.RD", "tdcall", TDG["TDG.VM.RD"]),
  leaf("TDG.VM.WR", "tdcall", TDG["TDG.VM.WR"]),
  leaf("TDG.MEM.PAGE.ACCEPT", "tdcall", TDG["TDG.MEM.PAGE.ACCEPT"], ["INTERRUPTED"], { INTERRUPTED }),
  leaf("TDG.MEM.PAGE.RELEASE", "tdcall", TDG["TDG.MEM.PAGE.RELEASE"]),
  leaf("TDG.MEM.PAGE.ATTR.RD", "tdcall", TDG["TDG.MEM.PAGE.ATTR.RD"]),
  call("MapGPA", "mapgpa", 0, { RETRY: INJECT_RETRY, INVALID_OPERAND: INJECT_FAILURE }, ["RETRY"]),
  leaf("TDH.VP.ENTER", "seamcall", TDH["TDH.VP.ENTER"], BUSY),
  leaf("TDH.MEM.SEPT.ADD", "seamcall", TDH["TDH.MEM.SEPT.ADD"], BUSY),
  leaf("TDH.MEM.PAGE.AUG", "seamcall", TDH["TDH.MEM.PAGE.AUG"], BUSY),
  leaf("TDH.MEM.RANGE.BLOCK", "seamcall", TDH["TDH.MEM.RANGE.BLOCK"], BUSY),
  leaf("TDH.MEM.PAGE.DEMOTE", "seamcall", TDH["TDH.MEM.PAGE.DEMOTE"], [...BUSY, "INTERRUPTED_RESTARTABLE"]),
  leaf("TDH.MEM.PAGE.REMOVE", "seamcall", TDH["TDH.MEM.PAGE.REMOVE"], BUSY),
  leaf("TDH.MEM.TRACK", "seamcall", TDH["TDH.MEM.TRACK"], [...BUSY, "PREVIOUS_TLB_EPOCH_BUSY"]),
  leaf("TDH.PHYMEM.PAGE.WBINVD", "seamcall", TDH["TDH.PHYMEM.PAGE.WBINVD"], BUSY),
  request("PLUG", ["NACK", "BUSY"]),
  request("UNPLUG", ["BUSY"]),
  request("UNPLUG_ALL", ["BUSY"]),
  request("STATE"),
  call("ACPI _STA", "acpi", ACPI_METHOD._STA, { ABSENT: ACPI_ANSWER.ABSENT, PRESENT: ACPI_ANSWER.PRESENT }),
  call("ACPI _CRS", "acpi", ACPI_METHOD._CRS, { EMPTY: ACPI_ANSWER.EMPTY }),
  call("ACPI _EJ0", "acpi", ACPI_METHOD._EJ0, { IGNORED: ACPI_ANSWER.IGNORED }),
  call("ACPI _OST", "acpi", ACPI_METHOD._OST, { IGNORED: ACPI_ANSWER.IGNORED }, ["IGNORED"]),
  guest("alloc_pages", ["ENOMEM"]),
  guest("alloc_contig_range", ["EBUSY", "ENOMEM", "EINTR"], ["-EBUSY"]),
  guest("register_memory_resource", ["ENOMEM"], ["-ENOMEM"]),
  guest("arch_add_memory", ["ENOMEM"], ["-ENOMEM"]),
  guest("create_memory_block_devices", ["ENOMEM"], ["-ENOMEM"]),
  guest("MEM_GOING_ONLINE", ["ENOMEM", "EPERM"], ["-ENOMEM"]),
  guest("MEM_GOING_OFFLINE", ["EPERM", "EBUSY"], ["-EPERM"]),
  call("host allocation", "vmm", HOST_ALLOCATION.PAGES, { "-ENOMEM": ERRNO.ENOMEM }),
  call("host allocation of tables", "vmm", HOST_ALLOCATION.TABLE, { "-ENOMEM": ERRNO.ENOMEM }),
  call("CPU access", "cpu", CPU_ACCESS, { MACHINE_CHECK: 1 }),
  call("PVALIDATE", "snp", SNP_FAULT.PVALIDATE, failing(PVALIDATE_RESULT), ["FAIL_SIZEMISMATCH"]),
  call("PVALIDATE rescind", "snp", SNP_FAULT.RESCIND, failing(PVALIDATE_RESULT), ["FAIL_SIZEMISMATCH"]),
  call("VMGEXIT page state change", "snp", SNP_FAULT.PSC, PSC_ANSWERS, ["RETRY"]),
  call("VMGEXIT MSR protocol", "snp", SNP_FAULT.PSC_BY_MSR, { FAILURE: INJECT_FAILURE }),
  call("RMPUPDATE", "snp", SNP_FAULT.RMPUPDATE, failing(RMPUPDATE_RESULT), ["FAIL_OVERLAP"]),
  call("PSMASH", "snp", SNP_FAULT.PSMASH, failing(PSMASH_RESULT), ["FAIL_INUSE"]),
  ...HOST_LEAVES.map(([name, survivable]) => leaf(name, "seamcall", TDH[name], survivable)),
  ...CREATION_LEAVES.map(([name, survivable]) => leaf(name, "creation", TDH[name], survivable)),
  call(
    "TDH.MEM.SEPT.ADD of the image",
    "creation",
    TD_BUILD.IMAGE_TABLE,
    Object.fromEntries(leaf("TDH.MEM.SEPT.ADD", "creation", 0).answers),
    BUSY,
  ),
  call("host allocation of control pages", "creation", TD_BUILD.CONTROL_PAGE, { "-ENOMEM": ERRNO.ENOMEM }),
  call("host allocation of a key id", "creation", TD_BUILD.KEY_ID, { "-ENOSPC": ERRNO.ENOSPC }),
  call("host allocation of image pages", "creation", TD_BUILD.IMAGE_PAGE, { "-ENOMEM": ERRNO.ENOMEM }),
  call("host allocation of image tables", "creation", TD_BUILD.IMAGE_TABLE_PAGE, {
    "-ENOMEM": ERRNO.ENOMEM,
  }),
  leaf("TDH.PHYMEM.PAMT.ADD", "seamcall", TDH["TDH.PHYMEM.PAMT.ADD"]),
  leaf("TDH.PHYMEM.PAMT.REMOVE", "seamcall", TDH["TDH.PHYMEM.PAMT.REMOVE"]),
  ...HOST_MEMORY.map(([name, code]) => call(name, "host", code, { "-ENOMEM": ERRNO.ENOMEM })),
  ...EFI_CALLS.map(([name, answers, survivable]) =>
    call(`EFI ${name}`, "firmware", EFI_SERVICE[name], answers, survivable),
  ),
  call("ACPI _PXM", "acpi", ACPI_METHOD._PXM, { UNKNOWN: ACPI_ANSWER.UNKNOWN }),
  call("ACPI MSCN", "acpi", ACPI_METHOD.MSCN, { IGNORED: ACPI_ANSWER.IGNORED }),
  guest("memblock_alloc", ["ENOMEM"]),
  guest("static_branch_inc", []),
  guest("static_branch_dec", []),
];

export const FAULT_CALL_NAMES: readonly string[] = FAULT_CALLS.map(({ name }) => name);

import type { DimmConfig } from "../../machine/config.ts";
import { MIB } from "../../units.ts";
import type { GuestLayout } from "../../vmm/layout.ts";
import type { VirtioMemConfig } from "../../vmm/vmm.ts";

/** Where a machine's sockets, logs and memory files lie. */
export interface LabFiles {
  readonly gdb: string;
  readonly qmp: string;
  /** Unix socket of the guest's first serial port, and the log of all it printed. */
  readonly console: string;
  readonly consoleLog: string;
  /** Unix socket of the guest's second serial port. */
  readonly agent: string;
  /** QEMU's own trace of the virtio-mem devices. */
  readonly deviceLog: string;
  /** Memory file of a backend. */
  ram(id: string): string;
}

/** The machine that QEMU is to be. Sizes are bytes. */
export interface QemuMachine {
  readonly layout: GuestLayout;
  readonly nodes: number;
  readonly vcpus: number;
  readonly virtioMem: readonly VirtioMemConfig[];
  /** Those that are there when the machine starts. */
  readonly dimms: readonly DimmConfig[];
  readonly kernel: string;
  readonly initrd: string;
  /** Kernel command line. */
  readonly append: string;
  /** False: an ordinary guest of the same QEMU, to compare with. */
  readonly asTd: boolean;
}

/** Name of the memory backend of a NUMA node's boot memory. */
export const nodeBackend = (node: number): string => `ram${node}`;

/**
 * A TD's CPU: an Intel one, because the kernel asks the vendor, with leaf 0x21, where TDX is announced. String
 * instructions are not fast: without them the kernel clears memory word by word, which TCG does two to three times as
 * fast as `rep stosb`. Pages of 1 GiB are too large for memory that is accepted by 2 MiB.
 *
 * Without cmpxchg16b the kernel has a routine of its own. A QEMU before 8.0 computes the flags of that instruction from what is not
 * there yet: an interrupt right behind it saves garbage in RFLAGS, and the kernel dies of the return, a double fault in
 * kmem_cache_alloc() in one run of twelve on a busy host.
 *
 * @source QEMU target/i386/tcg, helper_cmpxchg16b_unlocked up to 7.2, gen_cmpxchg16b since 8.0
 */
const CPU = "max,level=0x21,vendor=GenuineIntel,-erms,-fsrm,-pdpe1gb,-cx16";

/** Boot memory of each node, as a scenario splits it: equal parts of whole units, the last one takes the rest. */
export const nodeSizes = (memory: number, nodes: number): number[] => {
  const share = Math.floor(memory / nodes / (2 * MIB)) * 2 * MIB;
  return Array.from({ length: nodes }, (_, node) =>
    node === nodes - 1 ? memory - share * (nodes - 1) : share,
  );
};

const backend = (files: LabFiles, id: string, size: number): string[] => [
  "-object",
  `memory-backend-file,id=${id},size=${size},mem-path=${files.ram(id)},share=on`,
];

/** Boot memory: with nodes where the machine has an SRAT, otherwise without. */
const memory = ({ layout, nodes, vcpus }: QemuMachine, files: LabFiles): string[] => {
  const sizes = nodeSizes(layout.memory, nodes);
  const objects = sizes.flatMap((size, node) => backend(files, nodeBackend(node), size));
  const hotplug = layout.deviceMemory === undefined ? "" : `,slots=${layout.slots},maxmem=${layout.maxmem}B`;
  const size = ["-m", `${layout.memory}B${hotplug}`];
  if (nodes === 1 && layout.deviceMemory === undefined) {
    return [...objects, ...size, "-machine", `memory-backend=${nodeBackend(0)}`];
  }
  const cpus = sizes.map((_, node) => ({
    first: Math.ceil((node * vcpus) / nodes),
    last: Math.ceil(((node + 1) * vcpus) / nodes) - 1,
  }));
  const numa = cpus.flatMap(({ first, last }, node) => [
    "-numa",
    `node,nodeid=${node},memdev=${nodeBackend(node)}${first <= last ? `,cpus=${first}-${last}` : ""}`,
  ]);
  return [...objects, ...size, ...numa];
};

const virtioMemDevice = (files: LabFiles, device: VirtioMemConfig): string[] => {
  const { id, size, requestedSize = 0, blockSize = 0, node = 0, memaddr } = device;
  const place = memaddr === undefined ? "" : `,memaddr=${memaddr}`;
  const block = blockSize === 0 ? "" : `,block-size=${blockSize}`;
  return [
    ...backend(files, `${id}-mem`, size),
    "-device",
    `virtio-mem-pci,id=${id},memdev=${id}-mem,requested-size=${requestedSize},node=${node}${block}${place},iommu_platform=on`,
  ];
};

const dimmDevice = (files: LabFiles, dimm: DimmConfig): string[] => [
  ...backend(files, `${dimm.id}-mem`, dimm.size),
  "-device",
  `pc-dimm,id=${dimm.id},memdev=${dimm.id}-mem,node=${dimm.node}` +
    (dimm.slot === undefined ? "" : `,slot=${dimm.slot}`) +
    (dimm.addr === undefined ? "" : `,addr=${dimm.addr}`),
];

const socket = (id: string, path: string, log = ""): string[] => [
  "-chardev",
  `socket,id=${id},path=${path},server=on,wait=off${log}`,
];

/**
 * One thread emulates all CPUs. With one each, QEMU 7.2 now and then lets a CPU execute an int3 that the kernel has
 * already taken out of its text again, which panics one boot in some thirty.
 */
const ACCELERATOR = "tcg,thread=single";

/**
 * Arguments of qemu-system-x86_64 for a machine.
 *
 * Plain emulation, all RAM in shared files, the CPUs stopped before their first instruction if it is to be a TD. A
 * reset ends QEMU.
 */
export const qemuArguments = (machine: QemuMachine, files: LabFiles): string[] => [
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
  ...["-machine", "q35", "-accel", ACCELERATOR, "-cpu", CPU, "-smp", String(machine.vcpus)],
  ...memory(machine, files),
  ...socket("console", files.console, `,logfile=${files.consoleLog}`),
  ...["-serial", "chardev:console"],
  ...socket("agent", files.agent),
  ...["-serial", "chardev:agent"],
  ...["-qmp", `unix:${files.qmp},server=on,wait=off`],
  ...machine.virtioMem.flatMap((device) => virtioMemDevice(files, device)),
  ...machine.dimms.flatMap((dimm) => dimmDevice(files, dimm)),
  ...(machine.virtioMem.length > 0 ? ["-trace", "enable=virtio_mem_*", "-D", files.deviceLog] : []),
  ...["-kernel", machine.kernel, "-initrd", machine.initrd, "-append", machine.append],
  ...(machine.asTd ? ["-S", ...socket("gdb", files.gdb), "-gdb", "chardev:gdb"] : []),
];

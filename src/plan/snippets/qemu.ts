import { formatSize } from "../../scenario/quantity.ts";
import type { PlanPlatform, PlanRequest } from "../plan-request.ts";

/** Words of a QEMU command line, one option with its value a row. */
export type QemuOptions = readonly (readonly [option: string, value?: string])[];

/** How a machine that keeps its memory private is told to QEMU, and what its RAM lies in. */
export interface QemuPlatform {
  readonly options: QemuOptions;
  /** Kind of memory backend, with what it needs. */
  readonly backend: (size: string, id: string) => string;
  readonly qomType: { readonly "qom-type": string; readonly share?: boolean };
}

const RAM_BACKEND = {
  backend: (size: string, id: string) => `memory-backend-ram,id=${id},size=${size},reserve=off`,
  qomType: { "qom-type": "memory-backend-ram" },
};
const MEMFD_BACKEND = {
  backend: (size: string, id: string) => `memory-backend-memfd,id=${id},size=${size},share=on,reserve=off`,
  qomType: { "qom-type": "memory-backend-memfd", share: true },
};

/** @source QEMU 10.1 documentation of TDX; QEMU 9.1, sev-snp-guest: the C-bit is bit 51 on EPYC from the third generation on */
export const QEMU_PLATFORMS: { readonly [platform in PlanPlatform]: QemuPlatform } = {
  tdx: {
    options: [
      ["-accel", "kvm"],
      ["-cpu", "host"],
      ["-object", '{"qom-type":"tdx-guest","id":"tdx0"}'],
      ["-machine", "q35,kernel-irqchip=split,confidential-guest-support=tdx0,memory-backend=ram0"],
      ["-bios", "OVMF.inteltdx.fd"],
    ],
    ...RAM_BACKEND,
  },
  snp: {
    options: [
      ["-accel", "kvm"],
      ["-cpu", "EPYC-v4"],
      ["-object", "sev-snp-guest,id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x30000"],
      ["-machine", "q35,confidential-guest-support=sev0,vmport=off,memory-backend=ram0"],
      ["-bios", "OVMF.amdsev.fd"],
    ],
    ...MEMFD_BACKEND,
  },
};

/** The same machine where nothing keeps memory private: what can be tried anywhere. */
export const PLAIN: QemuOptions = [
  ["-accel", "tcg"],
  ["-machine", "q35,memory-backend=ram0"],
];

const sizeText = ({ memory, hotplug, device, dimms }: PlanRequest): string => {
  const whole = `size=${formatSize(memory)}`;
  if (hotplug === 0) return whole;
  const slots = device === "dimm" ? dimms : 0;
  return `${whole},slots=${slots},maxmem=${formatSize(memory + hotplug)}`;
};

const nodeOptions = ({ nodes, vcpus }: PlanRequest): QemuOptions => {
  if (nodes === 1) return [];
  return Array.from({ length: nodes }, (_, node): readonly [string, string] => {
    const first = Math.ceil((node * vcpus) / nodes);
    const last = Math.ceil(((node + 1) * vcpus) / nodes) - 1;
    const cpus = first > last ? "" : `,cpus=${first}-${last}`;
    return ["-numa", `node,nodeid=${node}${cpus},memdev=ram${node}`];
  });
};

const nodeBytes = ({ memory, nodes }: PlanRequest, node: number): number => {
  const share = Math.floor(memory / nodes / 2 ** 21) * 2 ** 21;
  return node === nodes - 1 ? memory - share * (nodes - 1) : share;
};

const backendOf = ({ platform }: PlanRequest): QemuPlatform => QEMU_PLATFORMS[platform];

const ramOptions = (request: PlanRequest): QemuOptions =>
  Array.from({ length: request.nodes }, (_, node): readonly [string, string] => [
    "-object",
    backendOf(request).backend(formatSize(nodeBytes(request, node)), `ram${node}`),
  ]);

const deviceOptions = (request: PlanRequest): QemuOptions => {
  const { hotplug, device, blockSize } = request;
  if (hotplug === 0 || device === "dimm") return [];
  return [
    ["-object", backendOf(request).backend(formatSize(hotplug), "vmem0")],
    [
      "-device",
      `virtio-mem-pci,id=vm0,memdev=vmem0,node=0,block-size=${formatSize(blockSize)},requested-size=0`,
    ],
  ];
};

/** With several nodes each has a backend of its own, and the machine names none. */
const perNode = (options: QemuOptions, { nodes }: PlanRequest): QemuOptions =>
  nodes === 1
    ? options
    : options.map(([option, value]) => [option, value?.replace(",memory-backend=ram0", "") ?? ""] as const);

/**
 * Options that make a planned machine.
 *
 * @source QEMU 10.1 documentation of TDX and virtio-mem; -help of QEMU 7.2
 */
export const qemuOptions = (
  request: PlanRequest,
  platform: QemuOptions = QEMU_PLATFORMS[request.platform].options,
): QemuOptions => [
  ...perNode(platform, request),
  ["-smp", String(request.vcpus)],
  ["-m", sizeText(request)],
  ...ramOptions(request),
  ...nodeOptions(request),
  ...deviceOptions(request),
  ["-nodefaults"],
  ["-serial", "stdio"],
  ["-qmp", "unix:qmp.sock,server=on,wait=off"],
];

const quoted = (value: string): string => (/^[\w.,:=/@+-]+$/.test(value) ? value : `'${value}'`);

/** QMP commands that make the machine grow and shrink. */
export const qmpCommands = (request: PlanRequest): string[] => {
  const { hotplug, device, dimms } = request;
  if (hotplug === 0) return [];
  const command = (execute: string, args: object): string => JSON.stringify({ execute, arguments: args });
  if (device === "virtio-mem") {
    const set = (value: number) =>
      command("qom-set", { path: "/machine/peripheral/vm0", property: "requested-size", value });
    return [set(hotplug), set(0)];
  }
  const size = hotplug / dimms;
  const numbers = Array.from({ length: dimms }, (_, n) => n);
  return [
    ...numbers.flatMap((n) => [
      command("object-add", { ...backendOf(request).qomType, id: `mem${n}`, size, reserve: false }),
      command("device_add", { driver: "pc-dimm", id: `dimm${n}`, memdev: `mem${n}`, node: 0 }),
    ]),
    ...numbers.reverse().map((n) => command("device_del", { id: `dimm${n}` })),
  ];
};

/** The command line of a planned machine, one option a line, and behind it what is said on its QMP socket. */
export const qemuSnippet = (request: PlanRequest): string => {
  const options = qemuOptions(request).map(([option, value]) =>
    value === undefined ? option : `${option} ${quoted(value)}`,
  );
  const kernel = `accept_memory=${request.accept}`;
  const lines = [`# guest kernel: ${kernel}`, ["qemu-system-x86_64", ...options].join(" \\\n  ")];
  const commands = qmpCommands(request);
  if (commands.length > 0) lines.push("# on qmp.sock, after qmp_capabilities", ...commands.slice(0, 8));
  if (commands.length > 8) lines.push(`# and ${commands.length - 8} more of the same kind`);
  return `${lines.join("\n")}\n`;
};

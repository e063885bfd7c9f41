import { formatSize } from "../../scenario/quantity.ts";
import type { PlanRequest } from "../plan-request.ts";

/** Words of a QEMU command line, one option with its value a row. */
export type QemuOptions = readonly (readonly [option: string, value?: string])[];

/** How a TD is told to QEMU. */
const CONFIDENTIAL: QemuOptions = [
  ["-accel", "kvm"],
  ["-cpu", "host"],
  ["-object", '{"qom-type":"tdx-guest","id":"tdx0"}'],
  ["-machine", "q35,kernel-irqchip=split,confidential-guest-support=tdx0,memory-backend=ram0"],
  ["-bios", "OVMF.inteltdx.fd"],
];

/** The same machine where there is no TDX: what can be tried anywhere. */
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

const ramOptions = (request: PlanRequest): QemuOptions =>
  Array.from({ length: request.nodes }, (_, node): readonly [string, string] => [
    "-object",
    `memory-backend-ram,id=ram${node},size=${formatSize(nodeBytes(request, node))},reserve=off`,
  ]);

const deviceOptions = ({ hotplug, device, blockSize }: PlanRequest): QemuOptions => {
  if (hotplug === 0 || device === "dimm") return [];
  return [
    ["-object", `memory-backend-ram,id=vmem0,size=${formatSize(hotplug)},reserve=off`],
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
export const qemuOptions = (request: PlanRequest, platform: QemuOptions = CONFIDENTIAL): QemuOptions => [
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
export const qmpCommands = ({ hotplug, device, dimms }: PlanRequest): string[] => {
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
      command("object-add", { "qom-type": "memory-backend-ram", id: `mem${n}`, size, reserve: false }),
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

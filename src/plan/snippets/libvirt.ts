import { KIB } from "../../units.ts";
import type { PlanPlatform, PlanRequest } from "../plan-request.ts";

const kib = (bytes: number): string => String(bytes / KIB);

const cells = ({ memory, nodes, vcpus }: PlanRequest): string[] => {
  const share = Math.floor(memory / nodes / 2 ** 21) * 2 ** 21;
  return Array.from({ length: nodes }, (_, node) => {
    const first = Math.ceil((node * vcpus) / nodes);
    const last = Math.ceil(((node + 1) * vcpus) / nodes) - 1;
    const bytes = node === nodes - 1 ? memory - share * (nodes - 1) : share;
    const cpus = first > last ? "" : ` cpus='${first}-${last}'`;
    return `      <cell id='${node}'${cpus} memory='${kib(bytes)}' unit='KiB'/>`;
  });
};

const virtioMem = (request: PlanRequest): string[] => [
  "    <memory model='virtio-mem'>",
  "      <target>",
  `        <size unit='KiB'>${kib(request.hotplug)}</size>`,
  "        <node>0</node>",
  `        <block unit='KiB'>${kib(request.blockSize)}</block>`,
  "        <requested unit='KiB'>0</requested>",
  "      </target>",
  "      <alias name='ua-vm0'/>",
  "    </memory>",
];

const dimm = ({ hotplug, dimms }: PlanRequest): string[] => [
  "<memory model='dimm'>",
  "  <target>",
  `    <size unit='KiB'>${kib(hotplug / dimms)}</size>`,
  "    <node>0</node>",
  "  </target>",
  "</memory>",
];

const later = (request: PlanRequest): string[] => {
  const { hotplug, device, dimms } = request;
  if (hotplug === 0) return [];
  if (device === "virtio-mem") {
    const set = (bytes: number): string =>
      `virsh update-memory-device plan --alias ua-vm0 --requested-size ${kib(bytes)}KiB`;
    return [`<!-- grow:   ${set(hotplug)} -->`, `<!-- shrink: ${set(0)} -->`];
  }
  const times = dimms === 1 ? "" : `, ${dimms} times`;
  return [
    `<!-- grow:   virsh attach-device plan dimm.xml --live${times}; dimm.xml is -->`,
    ...dimm(request),
    `<!-- shrink: virsh detach-device plan dimm.xml --live${times} -->`,
  ];
};

/** What a domain says of the platform that keeps its memory private. */
const PLATFORMS: {
  readonly [platform in PlanPlatform]: {
    readonly backing: readonly string[];
    readonly firmware: string;
    readonly features: readonly string[];
    readonly security: readonly string[];
  };
} = {
  tdx: {
    backing: [],
    firmware: "OVMF.inteltdx.fd",
    features: ["    <ioapic driver='qemu'/>"],
    security: ["  <launchSecurity type='tdx'>", "    <policy>0x10000000</policy>", "  </launchSecurity>"],
  },
  snp: {
    backing: [
      "  <memoryBacking>",
      "    <source type='memfd'/>",
      "    <access mode='shared'/>",
      "  </memoryBacking>",
    ],
    firmware: "OVMF.amdsev.fd",
    features: [],
    security: [
      "  <launchSecurity type='sev-snp'>",
      "    <cbitpos>51</cbitpos>",
      "    <reducedPhysBits>1</reducedPhysBits>",
      "    <policy>0x00030000</policy>",
      "  </launchSecurity>",
    ],
  },
};

/**
 * The domain of a planned machine.
 *
 * @source libvirt formatdomain: launchSecurity of type tdx (11.6) and sev-snp (10.5), memory devices, maxMemory
 */
export const libvirtSnippet = (request: PlanRequest): string => {
  const { memory, hotplug, vcpus, device, dimms, platform } = request;
  const { backing, firmware, features, security } = PLATFORMS[platform];
  // libvirt counts a virtio-mem device that is there at boot as memory, all of which is not yet requested.
  const memoryBytes = device === "virtio-mem" ? memory + hotplug : memory;
  const slots = device === "dimm" ? dimms : 1;
  const lines = [
    "<domain type='kvm'>",
    "  <name>plan</name>",
    ...(hotplug === 0
      ? []
      : [`  <maxMemory slots='${slots}' unit='KiB'>${kib(memory + hotplug)}</maxMemory>`]),
    `  <memory unit='KiB'>${kib(memoryBytes)}</memory>`,
    `  <currentMemory unit='KiB'>${kib(memory)}</currentMemory>`,
    ...backing,
    `  <vcpu>${vcpus}</vcpu>`,
    "  <os>",
    "    <type arch='x86_64' machine='q35'>hvm</type>",
    `    <loader type='rom'>/usr/share/edk2/ovmf/${firmware}</loader>`,
    "  </os>",
    "  <features>",
    "    <acpi/>",
    ...features,
    "  </features>",
    "  <cpu mode='host-passthrough'>",
    "    <numa>",
    ...cells(request),
    "    </numa>",
    "  </cpu>",
    ...security,
    "  <devices>",
    "    <console type='pty'/>",
    ...(hotplug > 0 && device === "virtio-mem" ? virtioMem(request) : []),
    "  </devices>",
    "</domain>",
    ...later(request),
  ];
  return `${lines.join("\n")}\n`;
};

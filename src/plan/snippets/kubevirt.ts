import { GIB, KIB, MIB } from "../../units.ts";
import type { PlanPlatform, PlanRequest } from "../plan-request.ts";

/** A quantity as Kubernetes writes it. */
const quantity = (bytes: number): string => {
  if (bytes % GIB === 0) return `${bytes / GIB}Gi`;
  return bytes % MIB === 0 ? `${bytes / MIB}Mi` : `${bytes / KIB}Ki`;
};

const PLATFORMS: {
  readonly [platform in PlanPlatform]: { readonly gate: string; readonly security: string };
} = {
  tdx: { gate: "WorkloadEncryptionTDX", security: "tdx" },
  // One gate for SEV, SEV-ES and SEV-SNP.
  snp: { gate: "WorkloadEncryptionSEV", security: "snp" },
};

/**
 * The virtual machine of a plan. KubeVirt refuses memory hotplug together with launchSecurity, so the snippet has
 * boot memory only and says so.
 *
 * @source KubeVirt 1.7: launchSecurity.tdx and .snp (VEP 80), memory hotplug and its validation
 */
export const kubevirtSnippet = (request: PlanRequest): string => {
  const { memory, hotplug, vcpus, platform } = request;
  const { gate, security } = PLATFORMS[platform];
  const grown = [
    `# KubeVirt refuses maxGuest beside launchSecurity: this machine cannot grow. Boot it with all it may need`,
    `# (guest: ${quantity(memory + hotplug)}, accepted lazily), or use QEMU or libvirt. Its hotplug is virtio-mem only.`,
  ];
  const lines = [
    `# the feature gate ${gate} has to be on`,
    ...(hotplug === 0 ? [] : grown),
    "apiVersion: kubevirt.io/v1",
    "kind: VirtualMachine",
    "metadata:",
    "  name: plan",
    "spec:",
    "  runStrategy: Always",
    "  template:",
    "    spec:",
    "      domain:",
    "        launchSecurity:",
    `          ${security}: {}`,
    "        firmware:",
    "          bootloader:",
    "            efi: {secureBoot: false}",
    `        cpu: {cores: ${vcpus}, sockets: 1, threads: 1}`,
    "        memory:",
    `          guest: ${quantity(memory)}`,
    "        devices: {}",
  ];
  return `${lines.join("\n")}\n`;
};

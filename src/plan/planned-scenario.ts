import { loadScenario } from "../scenario/load.ts";
import { formatSize } from "../scenario/quantity.ts";
import type { Scenario } from "../scenario/scenario.ts";
import type { PlanRequest, RunSize } from "./plan-request.ts";

/** What a played plan is about, step by step, in order. */
export type PlannedPhase = "boot" | "plug" | "unplug";

/** Longest virtual time that a plug or unplug is waited for. */
const TIMEOUT = "600s";

const machineText = (request: PlanRequest, { memory, devices }: RunSize): string[] => {
  const { vcpus, nodes, hotplug, device, blockSize, dimms, unaccepted } = request;
  const lines = ["machine:", `  memory: ${formatSize(memory)}`, `  vcpus: ${vcpus}`, `  nodes: ${nodes}`];
  if (hotplug > 0) lines.push(`  maxmem: ${formatSize(memory + hotplug)}`);
  if (hotplug > 0 && device === "dimm") lines.push(`  slots: ${Math.max(dimms, devices)}`);
  if (hotplug > 0 && device === "virtio-mem") {
    lines.push("  slots: 0", "  virtioMem:");
    lines.push(`    - {id: vm0, size: ${formatSize(hotplug)}, blockSize: ${formatSize(blockSize)}}`);
  }
  return [...lines, `  firmware: {unaccepted: ${unaccepted}}`];
};

const stepsText = ({ device, hotplug }: PlanRequest, { plugged, devices }: RunSize): string[] => {
  const lines = ["steps:", "  - boot"];
  if (hotplug === 0 || plugged === 0) return lines;
  const wait = `  - wait: {for: idle, timeout: ${TIMEOUT}}`;
  if (device === "virtio-mem") {
    lines.push(`  - resize: {device: vm0, to: ${formatSize(plugged)}}`, wait);
    return [...lines, "  - resize: {device: vm0, to: 0}", wait];
  }
  for (let n = 0; n < devices; n++)
    lines.push(`  - plug: {dimm: dimm${n}, size: ${formatSize(plugged)}}`, wait);
  for (let n = devices - 1; n >= 0; n--) lines.push(`  - unplug: {dimm: dimm${n}}`, wait);
  return lines;
};

/** The scenario of a planned machine, which `tidemark run` plays. */
export const scenarioText = (request: PlanRequest, size: RunSize, accept = request.accept): string => {
  const { design, discard, hotplug, platform } = request;
  const growth =
    hotplug === 0 ? "" : `, grows by ${formatSize(size.plugged * size.devices)} and shrinks again`;
  return `${[
    "name: plan",
    `title: ${platform === "tdx" ? "A TD" : "An SNP guest"} of ${formatSize(size.memory)} boots${growth}`,
    ...(platform === "tdx" ? [] : [`platform: ${platform}`]),
    ...machineText(request, size),
    `guest: {accept: ${accept}, design: ${design}}`,
    `vmm: {discard: ${discard}}`,
    ...stepsText(request, size),
  ].join("\n")}\n`;
};

/**
 * A planned machine as a scenario.
 *
 * @throws ScenarioError for a machine that cannot be
 */
export const plannedScenario = (request: PlanRequest, size: RunSize, accept = request.accept): Scenario =>
  loadScenario(scenarioText(request, size, accept), {
    file: "plan",
    designs: [request.design],
    readBytes: () => {
      throw new Error("a planned machine names no file");
    },
  });

import { basename } from "node:path";
import { Document } from "yaml";
import type { Range } from "../../artifacts/facts.ts";
import type { SurveyedDevice } from "../../artifacts/map/devices.ts";
import {
  bootBytes,
  bootRam,
  hotplugWindow,
  type NodeRam,
  nodeOfDomain,
  sratBytes,
} from "../../artifacts/map/machine-shape.ts";
import { contains, intersection } from "../../artifacts/map/ranges.ts";
import { isUnaccepted, type Survey } from "../../artifacts/map/survey.ts";
import { loadScenario } from "../../scenario/load.ts";
import { formatAddress, formatSize } from "../../scenario/quantity.ts";
import { ScenarioError } from "../../scenario/scenario-error.ts";
import { q35Layout } from "../../vmm/layout.ts";
import { DESIGNS } from "../worlds.ts";

const GIB = 2 ** 30;
const UNIT = 2 ** 21;
const LEAST = 64 * 2 ** 20;
const MOST_NODES = 64;
const MOST_VCPUS = 512;
const LONGEST_TABLE = 40_000;

type Yaml = { [name: string]: unknown };

/** RAM as QEMU's q35 lays it out, shared evenly among the nodes. */
const q35Ram = (memory: number, nodes: number): NodeRam[] => {
  const share = Math.floor(memory / nodes / UNIT) * UNIT;
  const rest = q35Layout({ memory }).ram.map(({ start, size }) => ({
    start: Number(start),
    end: start + size,
  }));
  return Array.from({ length: nodes }, (_, node) => node).flatMap((node) => {
    const shares: NodeRam[] = [];
    let left = node === nodes - 1 ? memory - share * node : share;
    while (left > 0) {
      const range = rest[0]!;
      const size = Math.min(left, range.end - range.start);
      shares.push({ start: range.start, end: range.start + size, node });
      range.start += size;
      left -= size;
      if (range.start === range.end) rest.shift();
    }
    return shares;
  });
};

/** Where memory may be added in a scenario: behind all RAM, at a multiple of 1 GiB. */
interface Room {
  readonly isQ35: boolean;
  readonly fields: Yaml;
  /** The window of the scenario's own machine; undefined without one. */
  readonly window: Range | undefined;
  /** The SRAT that was read says the same. */
  readonly agrees: boolean;
}

/** As many slots as the VMM told of, and a maximum that makes the window as wide as it was. */
const roomOf = (survey: Survey, ram: readonly NodeRam[], memory: number, nodes: number): Room => {
  const isQ35 =
    JSON.stringify(q35Ram(memory, nodes)) ===
    JSON.stringify(ram.map(({ start, end, node }) => ({ start, end, node })));
  const window = hotplugWindow(survey).at(-1);
  const told = new Set(survey.of("device-ost").map(({ slot }) => slot)).size;
  const slots = Math.max(told, survey.devices.filter(({ type }) => type === "dimm").length);
  const sum = survey.devices.reduce((bytes, { range }) => bytes + range.end - range.start, 0);
  const last = Math.max(...ram.map(({ end }) => end));
  const base = Math.ceil((isQ35 ? Math.max(last, 4 * GIB) : last) / GIB) * GIB;
  const wide = window === undefined ? 0 : window.end - window.start - slots * GIB;
  const fits = window !== undefined && wide >= sum && wide % UNIT === 0 && wide > 0;
  const room = fits ? wide : sum;
  const own = room === 0 ? undefined : { start: base, end: base + room + slots * GIB };
  const agrees =
    window === undefined ? own === undefined : window.start === own?.start && window.end === own.end;
  const fields = own === undefined ? {} : { slots, maxmem: formatSize(memory + room) };
  return { isQ35, fields, window: own, agrees };
};

/** Whether a device can keep its address. */
const lies = (range: Range, window: Range | undefined): boolean =>
  window !== undefined && contains(window, range) && range.start % UNIT === 0;

const nodeOf = (survey: Survey, { node }: SurveyedDevice, nodes: number): number => {
  const known = node === undefined ? undefined : (nodeOfDomain(survey).get(node) ?? node);
  return known !== undefined && known < nodes ? known : 0;
};

const firmwareOf = (survey: Survey, ram: readonly NodeRam[], room: Room): Yaml => {
  const bytes = room.agrees ? sratBytes(survey) : undefined;
  const hex =
    bytes === undefined || bytes.length > LONGEST_TABLE ? undefined : Buffer.from(bytes).toString("hex");
  const efi = survey.of("efi").filter(({ map }) => map === "boot");
  const left = intersection(efi.filter(isUnaccepted), ram);
  const isGuest = survey.roles.has("TDX guest") || survey.roles.has("SNP guest");
  const unaccepted =
    left.length > 0
      ? left.map(({ start, end }) => ({ at: formatAddress(start), size: formatSize(end - start) }))
      : isGuest && efi.length > 0
        ? "none"
        : "above-4g";
  return { ...(hex === undefined ? {} : { srat: { hex } }), unaccepted };
};

const guestOf = (survey: Survey): Yaml => {
  const { shown, blocks, ram } = survey;
  const version = Number(/^\d+/.exec(shown?.kernel ?? "")?.[0] ?? 7);
  const line = shown?.commandLine ?? "";
  const accept = /\baccept_memory=(lazy|eager)\b/.exec(line)?.[1] ?? "lazy";
  const asked = /\bmemhp_default_state=(offline|online|online_kernel|online_movable)\b/.exec(line)?.[1];
  const late = blocks.filter((block) => block.state === "online" && intersection([block], ram).length === 0);
  const movable = late.length > 0 && late.every(({ zones }) => zones === "Movable");
  const hasDevices = survey.devices.length > 0;
  return {
    kernel: version >= 7 ? "7.3" : "6.12",
    accept,
    design: hasDevices ? "bitmaps" : "none",
    autoOnline: asked ?? (movable ? "online_movable" : "online"),
  };
};

const stepsOf = (survey: Survey, nodes: number, { window }: Room): unknown[] => {
  const steps: unknown[] = ["boot"];
  for (const device of survey.devices) {
    const { id, type, range, size, requested, slot } = device;
    const bytes = range.end - range.start;
    if (type === "dimm" && size > 0) {
      const plug = { dimm: id, size: formatSize(bytes), node: nodeOf(survey, device, nodes) };
      steps.push({
        plug: {
          ...plug,
          ...(slot === undefined ? {} : { slot }),
          ...(lies(range, window) ? { addr: formatAddress(range.start) } : {}),
        },
      });
    }
    const wanted = requested ?? size;
    if (type !== "dimm" && wanted > 0) steps.push({ resize: { device: id, to: formatSize(wanted) } });
  }
  return steps;
};

const devicesOf = (survey: Survey, nodes: number, { window }: Room): unknown[] =>
  survey.devices
    .filter(({ type }) => type !== "dimm")
    .map((device) => ({
      id: device.id,
      node: nodeOf(survey, device, nodes),
      size: formatSize(device.range.end - device.range.start),
      ...(device.blockSize === undefined ? {} : { blockSize: formatSize(device.blockSize) }),
      ...(lies(device.range, window) ? { memaddr: formatAddress(device.range.start) } : {}),
    }));

/** Each vCPU has its own area of a kernel's memory, some 250 KiB: a small machine does not boot with hundreds. */
const BYTES_PER_VCPU = 2 * 2 ** 20;

/** Processors that the SRAT enables, and how many of them the scenario has; 0: it says nothing of them. */
const vcpusOf = (
  survey: Survey,
  ram: readonly NodeRam[],
): { readonly all: number; readonly kept: number } => {
  const all = new Set(survey.of("srat-cpu").flatMap(({ enabled, apicId }) => (enabled ? [apicId] : []))).size;
  return { all, kept: Math.min(all, MOST_VCPUS, Math.max(1, Math.floor(bootBytes(ram) / BYTES_PER_VCPU))) };
};

const machineOf = (survey: Survey, ram: readonly NodeRam[], nodes: number, room: Room): Yaml => {
  const vcpus = vcpusOf(survey, ram).kept;
  const devices = devicesOf(survey, nodes, room);
  const layout = ram.map(({ start, end, node }) => ({
    at: formatAddress(start),
    size: formatSize(end - start),
    node,
  }));
  return {
    memory: formatSize(bootBytes(ram)),
    ...(vcpus === 0 ? {} : { vcpus }),
    nodes,
    ...(room.isQ35 ? {} : { layout }),
    ...room.fields,
    ...(devices.length === 0 ? {} : { virtioMem: devices }),
    firmware: firmwareOf(survey, ram, room),
  };
};

const about = (
  survey: Survey,
  sources: readonly string[],
  room: Room,
  vcpus: { readonly all: number; readonly kept: number },
): string => {
  const { of, shown, ramSource } = survey;
  const said = [
    `Made by tidemark inspect from ${sources
      .slice(0, 8)
      .map((source) => basename(source))
      .join(", ")}.`,
    ...(of("dmi").length > 0 ? [`The machine: ${of("dmi").at(-1)!.text}.`] : []),
    ...(shown?.kernel === undefined ? [] : [`Its kernel: ${shown.kernel}.`]),
    ...(ramSource === undefined
      ? []
      : [`RAM is that of the ${of("srat-memory").length > 0 ? "SRAT" : ramSource}.`]),
    ...(hotplugWindow(survey).length > 0 && !room.agrees
      ? ["Its SRAT has the room for more elsewhere than this machine, so it is made anew."]
      : []),
    ...(vcpus.kept < vcpus.all ? [`Of its ${vcpus.all} processors this machine has ${vcpus.kept}.`] : []),
    "Memory that was added after boot is added by steps; vmm and design are choices of this file.",
  ];
  return `${said.join("\n")}\n`;
};

const nameOf = (out: string): string => {
  const bare = basename(out).replace(/\.ya?ml$/, "");
  return /^[A-Za-z0-9][\w.-]{0,60}$/.test(bare) ? bare : "inspected";
};

/** What a scenario cannot hold. */
const refusal = (ram: readonly NodeRam[]): string | undefined => {
  if (ram.length === 0) return "the RAM of a machine, found none; give its dmesg, its e820 or its SRAT";
  const memory = bootBytes(ram);
  if (memory < LEAST) return `64M of RAM or more, found ${formatSize(memory)}`;
  if (!ram.some(({ start, end }) => start < 4 * GIB && end - start >= LEAST / 4))
    return "RAM below 4 GiB, where firmware runs, found none; give all of the memory map";
  if (ram.some(({ node }) => node >= MOST_NODES)) return `at most ${MOST_NODES} nodes, found more`;
  return undefined;
};

/**
 * The scenario of the machine that was read, as the text of a file.
 *
 * @param out name of the file that it will be
 * @returns the text, or in `refused` what was expected and found instead
 */
export const scenarioText = (
  survey: Survey,
  sources: readonly string[],
  out: string,
): { readonly text: string } | { readonly refused: string } => {
  const ram = bootRam(survey);
  const refused = refusal(ram);
  if (refused !== undefined) return { refused };
  const nodes = Math.min(MOST_NODES, 1 + Math.max(...ram.map(({ node }) => node)));
  const room = roomOf(survey, ram, bootBytes(ram), nodes);
  const document = new Document({
    name: nameOf(out),
    title: "The memory of a machine as it was inspected",
    about: about(survey, sources, room, vcpusOf(survey, ram)),
    machine: machineOf(survey, ram, nodes, room),
    guest: guestOf(survey),
    vmm: { augSize: "2M" },
    steps: stepsOf(survey, nodes, room),
    expect: { machine: "running" },
  });
  const text = document.toString({ lineWidth: 110, flowCollectionPadding: false });
  try {
    loadScenario(text, { file: out, designs: DESIGNS, readBytes: () => new Uint8Array() });
  } catch (error) {
    if (error instanceof ScenarioError)
      return { refused: `a machine that a scenario can hold, found ${error.message}` };
    throw error;
  }
  return { text };
};

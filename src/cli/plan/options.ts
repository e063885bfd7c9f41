import {
  PLAN_ACCEPTS,
  PLAN_DEVICES,
  PLAN_DISCARDS,
  PLAN_FIRMWARE,
  PLAN_PLATFORMS,
  type PlanRequest,
} from "../../plan/plan-request.ts";
import { suggest } from "../../scenario/nearest-name.ts";
import { formatSize, parseSize } from "../../scenario/quantity.ts";
import { describe, oneLine } from "../../scenario/scenario-error.ts";
import { GIB, MIB, PIB, TIB } from "../../units.ts";
import { UsageError } from "../exit-status.ts";
import { DESIGNS } from "../worlds.ts";

/** Options of the command line as they were typed. */
export interface PlanTexts {
  readonly memory?: string;
  readonly hotplug: string;
  readonly vcpus: string;
  readonly nodes: string;
  readonly platform: string;
  readonly design: string;
  readonly accept: string;
  readonly device: string;
  readonly blockSize: string;
  readonly dimms: string;
  readonly discard: string;
  readonly unaccepted: string;
  readonly extensionPages?: string;
}

const UNIT = 2 * MIB;
/** Both together stay inside what a TD may address privately. */
const MOST_MEMORY = PIB;

const refuse = (option: string, text: string, expected: string, advice = ""): never => {
  const end = advice === "" ? "" : `; ${advice}`;
  throw new UsageError(oneLine(`${option} ${text}: expected ${expected}, found ${describe(text)}${end}`));
};

const sizeOf = (option: string, text: string, least: number, most: number): number => {
  const bytes = parseSize(text);
  const expected = `a size from ${formatSize(least)} to ${formatSize(most)} such as 64G`;
  if (bytes === undefined || bytes < least || bytes > most) return refuse(option, text, expected);
  if (bytes % UNIT === 0) return bytes;
  const below = bytes - (bytes % UNIT);
  const near = below < least ? [below + UNIT] : [below, below + UNIT];
  return refuse(option, text, "a multiple of 2M", `nearest: ${near.map(formatSize).join(" and ")}`);
};

const wholeOf = (option: string, text: string, least: number, most: number): number => {
  const n = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return least <= n && n <= most ? n : refuse(option, text, `a whole number from ${least} to ${most}`);
};

const nameOf = <T extends string>(option: string, text: string, names: readonly T[], what: string): T =>
  names.find((name) => name === text) ?? refuse(option, text, what, suggest(text, names));

const blockSizeOf = (text: string): number => {
  const bytes = sizeOf("--block-size", text, UNIT, 128 * GIB);
  return Number.isInteger(Math.log2(bytes))
    ? bytes
    : refuse("--block-size", text, "a power of two such as 2M or 128M");
};

/**
 * What the options ask for.
 *
 * @throws UsageError for the first that cannot be
 */
export const planRequest = (texts: PlanTexts): PlanRequest => {
  if (texts.memory === undefined) {
    throw new UsageError("--memory: expected the RAM at boot, found nothing; say --memory 64G");
  }
  const request: PlanRequest = {
    memory: sizeOf("--memory", texts.memory, 64 * MIB, MOST_MEMORY),
    hotplug: sizeOf("--hotplug", texts.hotplug, 0, MOST_MEMORY - TIB),
    vcpus: wholeOf("--vcpus", texts.vcpus, 1, 512),
    nodes: wholeOf("--nodes", texts.nodes, 1, 64),
    platform: nameOf("--platform", texts.platform, PLAN_PLATFORMS, "a platform that is modelled"),
    design: nameOf("--design", texts.design, DESIGNS, "a design"),
    accept: nameOf("--accept", texts.accept, PLAN_ACCEPTS, "lazy or eager"),
    device: nameOf("--device", texts.device, PLAN_DEVICES, "a kind of memory device"),
    blockSize: blockSizeOf(texts.blockSize),
    dimms: wholeOf("--dimms", texts.dimms, 1, 256),
    discard: nameOf("--discard", texts.discard, PLAN_DISCARDS, "none, shared-only or both"),
    unaccepted: nameOf("--unaccepted", texts.unaccepted, PLAN_FIRMWARE, "above-4g or all"),
    extensionPages: 0,
  };
  checkTogether(request, texts);
  return { ...request, extensionPages: extensionPagesOf(request, texts.extensionPages) };
};

/** Pages that the posted patches' module asks for. */
const EXTENSION_PAGES = 12800;

const extensionPagesOf = ({ platform }: PlanRequest, text: string | undefined): number => {
  if (platform === "tdx")
    return text === undefined ? EXTENSION_PAGES : wholeOf("--extension-pages", text, 0, 1e9);
  return text === undefined
    ? 0
    : refuse("--extension-pages", text, "nothing without --platform tdx: only its module takes pages");
};

/** Options that do not go together. */
const checkTogether = (request: PlanRequest, texts: PlanTexts): void => {
  const { memory, hotplug, device, blockSize, dimms, nodes } = request;
  if (hotplug > 0 && device === "virtio-mem" && hotplug % blockSize !== 0) {
    refuse("--hotplug", texts.hotplug, `a multiple of the device's block of ${formatSize(blockSize)}`);
  }
  if (hotplug > 0 && device === "dimm" && hotplug % (dimms * UNIT) !== 0) {
    refuse("--dimms", texts.dimms, `DIMMs of a multiple of 2M each in ${formatSize(hotplug)}`);
  }
  if (dimms > 1 && device !== "dimm") refuse("--dimms", texts.dimms, "1 without --device dimm");
  if (memory < nodes * 64 * MIB) {
    refuse("--nodes", texts.nodes, "at least 64M of memory on each node");
  }
};

import type { LinuxWorldOptions } from "../lab/world/linux-world.ts";
import type { CommonBoots } from "../scenario/model/common-boots.ts";
import type { World } from "../scenario/world.ts";

export const WORLDS = ["model", "linux"] as const;
export type WorldName = (typeof WORLDS)[number];
/** What `run --world` takes: one world, or both in lockstep. */
export const PLAYGROUNDS = [...WORLDS, "both"] as const;
export type Playground = (typeof PLAYGROUNDS)[number];

/** Opens a world by name; it throws WorldUnavailable if it cannot be run. */
export type OpenWorld = (name: WorldName, options: WorldOptions) => Promise<World>;

export interface WorldOptions {
  /** Awaited now and then by a world that breathes, so that Ctrl-C is heard. */
  readonly breathe: () => Promise<void>;
  /** What the linux world is told; the model world has no use for it. */
  readonly linux?: LinuxWorldOptions;
  /** What model worlds that are opened one after the other have in common. */
  readonly boots?: CommonBoots;
}

/** Designs that a scenario may name: the names of src/designs/designs.ts, here so that help needs no machine. */
export const DESIGNS: readonly string[] = [
  "none",
  "notifier",
  "notifier-strict",
  "callbacks",
  "window",
  "bitmaps",
  "shared",
  "snp-hotplug",
  "uhp",
  "tide",
];

/** The one place where a command meets its world. */
export const openWorld: OpenWorld = async (name, options) => {
  if (name === "linux") {
    const { LinuxWorld } = await import("../lab/world/linux-world.ts");
    return new LinuxWorld(options.linux);
  }
  const { ModelWorld } = await import("../scenario/model/model-world.ts");
  return new ModelWorld(options.boots);
};

import { type World, WorldUnavailable } from "../scenario/world.ts";

export const WORLDS = ["model", "linux"] as const;
export type WorldName = (typeof WORLDS)[number];

/** Opens a world by name; it throws WorldUnavailable if it cannot be run. */
export type OpenWorld = (name: WorldName, options: WorldOptions) => Promise<World>;

export interface WorldOptions {
  /** Awaited now and then by a world that breathes, so that Ctrl-C is heard. */
  readonly breathe: () => Promise<void>;
}

/** Designs that a scenario may name. */
export const DESIGNS: readonly string[] = ["none", "bitmaps"];

/** The one place where a command meets its world. */
export const openWorld: OpenWorld = async (name, _options) => {
  const missing = name === "linux" ? "it needs QEMU and a kernel" : "nothing plays scenarios";
  throw new WorldUnavailable(`the ${name} world is not built yet: ${missing}`);
};

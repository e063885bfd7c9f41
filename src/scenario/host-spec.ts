import type { HostConfig } from "../machine/host-actor.ts";
import type { Comparison } from "./expectation.ts";
import type { BlockRange } from "./scenario.ts";

/** The TDX host of a scenario, complete. */
export type HostSpec = HostConfig;

/** What a `host` step does. */
export type HostDeed =
  | { readonly deed: "enable" }
  | { readonly deed: "hotAdd"; readonly at: number; readonly size: number; readonly node: number }
  | { readonly deed: "online"; readonly blocks: BlockRange }
  | { readonly deed: "privateMemory"; readonly size: number };

/** Facts of the host that an expectation compares: by name in the file. `bytes` are amounts of memory. */
export const HOST_FACTS = {
  tdmrs: "count",
  reserved: "count",
  pamt: "bytes",
  messages: "count",
  refused: "count",
  online: "count",
  offline: "count",
  devdax: "bytes",
  convertible: "bytes",
  private: "bytes",
  shared: "bytes",
  free: "bytes",
  poolPages: "count",
  poolGiven: "count",
  spoiledBlocks: "count",
  corrupted: "count",
  seamcalls: "count",
} as const;
export type HostFact = keyof typeof HOST_FACTS;

export const HOST_STATES = ["uninitialized", "initialized", "error"] as const;

export interface HostTest {
  readonly fact: HostFact;
  readonly test: Comparison;
}

import { loadScenario } from "../load.ts";
import { type Played, type PlayOptions, play } from "../player.ts";
import type { Scenario } from "../scenario.ts";
import { FakeWorld } from "./fake-world.ts";

/** A small machine; steps and the rest are added behind it. */
export const MACHINE = `name: sample
title: A sample
machine:
  memory: 4G
  virtioMem: [{id: vm0, size: 1G}]
`;

/** A scenario of its text. */
export const loadText = (text: string): Scenario =>
  loadScenario(text, {
    file: "sample.yaml",
    designs: ["none", "bitmaps"],
    readBytes: () => new Uint8Array(),
  });

/** Loads and plays a scenario on the fake world. */
export const playText = (text: string, options: Partial<PlayOptions> = {}): Promise<Played> =>
  play(loadText(text), new FakeWorld(), { version: "0.0.0", ...options });

import { rmSync } from "node:fs";
import * as z from "zod";
import { type CheckedMachine, replayMachine } from "../../check/machine/check-machine.ts";
import type { MachineConfiguration } from "../../check/machine/configurations/configuration.ts";
import type { Story } from "../../check/story/story.ts";
import { readStory, storyFile } from "../../check/story/story-file.ts";
import { keepMachine, type MachineKeep, programIdentity } from "../../check-run/machine-search.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { UsageError } from "../exit-status.ts";
import { reason } from "../read-scenario.ts";
import type { System } from "../system.ts";
import { VERSION } from "../version.ts";
import type { SearchSettings } from "./options.ts";

const FORMAT = "tidemark-check-1";
const count = z.number().nonnegative();
const RESULT = z.strictObject({
  /** Names the search: program, configuration and settings. */
  identity: z.string(),
  verdict: z.enum(["held", "broken"]),
  end: z.string(),
  states: count,
  transitions: count,
  depth: count,
  bytes: count,
  omission: count,
  broken: z.array(z.string()),
  seen: z.array(z.string()).default([]),
  /** As `--save` writes it. */
  story: z.string().nullable(),
  shortest: z.boolean(),
  reductions: z.strictObject({ symmetry: z.boolean(), partialOrder: z.boolean() }),
});
type Result = z.infer<typeof RESULT>;
const RESULTS = z.strictObject({ format: z.literal(FORMAT), done: z.record(z.string(), RESULT) });

/**
 * What a check keeps on the way: in the file itself the results of configurations that are done, beside it, with the
 * configuration's name at the end, the states of one that is not.
 */
export class Checkpoints {
  private readonly path: string;
  private readonly everyMs: number;
  private readonly settings: SearchSettings;
  private readonly system: System;
  private readonly done: Map<string, Result>;
  private partial = false;

  /** @throws UsageError for a file that is no checkpoint, or that cannot be written: nobody searches an hour for nothing */
  constructor(path: string, everyMs: number, settings: SearchSettings, system: System) {
    this.path = path;
    this.everyMs = everyMs;
    this.settings = settings;
    this.system = system;
    this.done = new Map(Object.entries(this.read()));
    this.write();
  }

  private read(): { readonly [name: string]: Result } {
    try {
      const text = new TextDecoder().decode(this.system.readBytes(this.path));
      return RESULTS.parse(JSON.parse(text)).done;
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return {};
      throw new UsageError(
        `--checkpoint ${this.path}: expected what a check kept there, found another file; name another one, or delete it`,
        { cause },
      );
    }
  }

  private write(): void {
    const done = Object.fromEntries(this.done);
    try {
      this.system.writeText(this.path, `${JSON.stringify({ format: FORMAT, done })}\n`);
    } catch (cause) {
      throw new UsageError(
        oneLine(
          `--checkpoint ${this.path}: expected a file that can be written, found one that ${reason(cause)}; name another one`,
        ),
        { cause },
      );
    }
  }

  private identityOf(configuration: MachineConfiguration): string {
    const { seed, reductions } = this.settings;
    return JSON.stringify({ program: programIdentity(VERSION), seed, ...reductions, ...configuration });
  }

  /** What an earlier run came to. */
  async resultOf(configuration: MachineConfiguration): Promise<CheckedMachine | undefined> {
    const result = this.done.get(configuration.name);
    if (result === undefined || result.identity !== this.identityOf(configuration)) return undefined;
    const { identity, story, ...counts } = result;
    return { configuration, ...counts, story: story === null ? null : await this.told(story) };
  }

  private async told(text: string): Promise<Story> {
    return replayMachine(readStory(this.path, text));
  }

  /** @throws CheckpointError if there is one of another search */
  keepOf(configuration: MachineConfiguration): MachineKeep {
    const path = `${this.path}.${configuration.name}`;
    return keepMachine(path, this.identityOf(configuration), this.everyMs);
  }

  /** A search has ended. What is known of all states is written down, and its states are needed no more. */
  note(checked: CheckedMachine, keep: MachineKeep): void {
    const { configuration, verdict, story, ...counts } = checked;
    if (verdict === "partial") {
      this.partial = true;
      return;
    }
    const told = story && storyFile(story.configuration, story);
    const identity = this.identityOf(configuration);
    this.done.set(configuration.name, {
      identity,
      verdict,
      ...counts,
      broken: [...counts.broken],
      seen: [...counts.seen],
      story: told,
    });
    this.write();
    keep.file.remove();
  }

  /** Once all that was asked for is done nothing is left behind. */
  finish(all: boolean): void {
    if (all && !this.partial) rmSync(this.path, { force: true });
  }
}

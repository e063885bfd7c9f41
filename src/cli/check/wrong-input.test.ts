import fc from "fast-check";
import { expect, it } from "vitest";
import { readStory, StoryFileError } from "../../check/story/story-file.ts";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";

it.each([
  [["check", "bitmap"], 'design: expected a design, found "bitmap"; did you mean `bitmaps`?'],
  [
    ["check", "tide", "--config", "replugs"],
    '--config: expected a standard configuration, found "replugs"; did you mean `replug`?',
  ],
  [
    ["check", "tide", "--rules", "I99"],
    '--rules: expected invariants such as I2,I11, found "I99"; did you mean `I9`?',
  ],
  [
    ["check", "bitmaps", "--hazards", "--rules", "I2"],
    '--rules: expected no --hazards, which has rules of its own, found "both"; leave one out',
  ],
  [
    ["check", "bitmaps", "--hazards", "--config", "unplug-waits"],
    '--config: expected configurations of hazards of bitmaps, found "unplug-waits"; use grow-shrink, two-blocks, sub-blocks, dimm-memmap-fails-no-release, replug-no-release-kept, outside-table, table-end, kexec-odd-region, odd-half, dimm, big-blocks-busy, replug ...',
  ],
  [
    ["check"],
    "design: expected a design, found nothing; use none, notifier, notifier-strict, callbacks, window, bitmaps, shared, snp-hotplug, uhp or tide",
  ],
  [
    ["check", "tide", "--max-memory", "16M"],
    '--max-memory: expected a whole number of MiB from 1 to 4294967296, found "16M"; see tidemark check --help',
  ],
  [
    ["check", "tide", "--checkpoint", "/read-only/kept"],
    "--checkpoint /read-only/kept: expected a file that can be written, found one that may not be opened; name another one",
  ],
  [
    ["check", "tide", "--max-states", "0"],
    '--max-states: expected a whole number from 1 to 999999999999, found "0"; see tidemark check --help',
  ],
  [
    ["check", "tide", "--threads", "0"],
    '--threads: expected a whole number from 1 to 64, found "0"; see tidemark check --help',
  ],
  [
    ["check", "tide", "--search", "walks", "--exact"],
    '--exact: expected a search that keeps states, found "--search walks"; leave one out',
  ],
  [
    ["check", "tide", "--disjoint-steps", "--checkpoint", "kept"],
    '--disjoint-steps: expected breadth first with partial order only, found "--checkpoint"; leave one out',
  ],
  [
    ["check", "tide", "--disjoint-steps", "--no-partial-order"],
    '--disjoint-steps: expected breadth first with partial order only, found "--no-partial-order"; leave one out',
  ],
  [
    ["check", "tide", "--search", "pct", "--no-partial-order"],
    '--no-partial-order: expected a search that keeps states, found "--search pct"; leave one out',
  ],
  [
    ["check", "tide", "--no-symetry"],
    "tidemark: unknown option '--no-symetry' (Did you mean --no-symmetry?); see tidemark --help",
  ],
  [
    ["check", "tide", "--search", "depth", "--checkpoint", "a"],
    '--checkpoint: expected a search that has checkpoints, which is breadth first and not exact, found "--search depth"; leave one out',
  ],
  [
    ["check", "bitmaps", "--hazards", "--mermaid"],
    '--mermaid: expected no --hazards, which prints a table only, found "both"; leave one out',
  ],
  [
    ["check", "--replay", "story.json", "--hazards"],
    "tidemark: option '--replay <file>' cannot be used with option '--hazards'; see tidemark --help",
  ],
])("%j is wrong input, and one line says why", async (args, line) => {
  const system = fakeSystem({});
  expect([await main(args, system), system.err()]).toEqual([2, `${line}\n`]);
});

it("what is no checkpoint is refused with one line", async () => {
  const system = fakeSystem({ kept: "{}" });
  expect(await main(["check", "tide", "--checkpoint", "kept"], system)).toBe(2);
  expect(system.err()).toBe(
    "--checkpoint kept: expected what a check kept there, found another file; name another one, or delete it\n",
  );
});

it("what is no saved story is refused, whatever it is", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => readStory("story.json", text)).toThrow(StoryFileError);
    }),
  );
});

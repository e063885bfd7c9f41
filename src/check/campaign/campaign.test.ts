import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { smallerConfigurations } from "../machine/shrinking/smaller.ts";
import { openMachine } from "../machine/system.ts";
import { readStory, storyFile } from "../story/story-file.ts";
import { drawnConfiguration } from "./draw.ts";
import { playSeed } from "./play-seed.ts";
import { shrinkFailure } from "./shrink-failure.ts";

const seeds = fc.nat(2 ** 40);
const PLAN = { design: "tide", rules: [], walks: 2, steps: 300 };

describe("the machine of a seed", () => {
  it("is the same every time, and one that a story's file can hold", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const configuration = drawnConfiguration("tide", seed);
        expect(drawnConfiguration("tide", seed)).toEqual(configuration);
        const story = {
          configuration,
          path: [],
          atRest: false,
          violation: "",
          why: "",
          broken: false,
          rows: [],
        };
        expect(readStory("s", storyFile(configuration, story)).configuration).toEqual(configuration);
      }),
    );
  });
  it("frees only what the same user allocated", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        for (const { by, deeds } of drawnConfiguration("tide", seed).programs)
          for (const deed of deeds)
            if (deed.do === "free")
              expect(by !== "operator" && [`user ${by.user}`, `ring ${by.user}`].includes(deed.as)).toBe(
                true,
              );
      }),
    );
  });
  it("has each feature in some seeds and lacks it in others", () => {
    const machines = Array.from({ length: 200 }, (_, seed) => drawnConfiguration("tide", seed));
    const does = (one: MachineConfiguration, deed: string): number =>
      [...one.before, ...one.programs.flatMap(({ deeds }) => deeds)].filter((other) => other.do === deed)
        .length;
    const features: { readonly [name: string]: (one: MachineConfiguration) => boolean } = {
      snp: ({ platform }) => platform === "snp",
      "big blocks": ({ bigBlocks }) => bigBlocks === true,
      "shared buffer": (one) => does(one, "share") > 0,
      "two kexecs": (one) => does(one, "kexec") === 2,
      "stays offline": ({ zone }) => zone === "none",
      "kernel zone": ({ zone }) => zone === "kernel",
      "fault of SNP": ({ fault }) => /^(PVALIDATE|VMGEXIT|RMPUPDATE|PSMASH)/.test(fault?.call ?? ""),
    };
    for (const [name, has] of Object.entries(features)) {
      const count = machines.filter(has).length;
      expect([name, count > 0, count < machines.length]).toEqual([name, true, true]);
    }
  });
  it("on SNP has no deed and no fault that only TDX has", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { platform, before, programs, fault } = drawnConfiguration("tide", seed);
        const deeds = [...before, ...programs.flatMap((program) => program.deeds)].map((deed) => deed.do);
        if (platform !== "snp") return;
        expect(deeds.filter((deed) => ["kexec", "share", "unshare"].includes(deed))).toEqual([]);
        expect(fault?.call ?? "").not.toMatch(/^(TDG|TDH|MapGPA)/);
      }),
    );
  });
  it("boots, whatever is drawn", { timeout: 600_000 }, () => {
    for (let seed = 0; seed < 5; seed++)
      expect(() => openMachine(drawnConfiguration("tide", seed))).not.toThrow();
  });
});

describe("smaller machines", () => {
  it("end: each has fewer vCPUs, units, deeds or features", () => {
    fc.assert(
      fc.property(seeds, fc.nat(1000), (seed, choice) => {
        let here = drawnConfiguration("tide", seed);
        for (let step = 0; ; step++) {
          const smaller = smallerConfigurations(here);
          if (smaller.length === 0) return;
          expect(step).toBeLessThan(300);
          here = smaller[(choice + step) % smaller.length]!;
          for (const { by } of here.programs) if (by !== "operator") expect(by.user).toBeLessThan(here.vcpus);
        }
      }),
    );
  });
});

describe("a seed", { timeout: 600_000 }, () => {
  it("has one outcome", async () => {
    expect(await playSeed(PLAN, 4)).toEqual(await playSeed(PLAN, 4));
  });
  it("that breaks a rule is shrunk to a story that breaks it in a machine of its own", async () => {
    const plan = { ...PLAN, design: "none", rules: ["I1"] };
    let seed = 1;
    let { failure } = await playSeed(plan, seed);
    while (failure === null) failure = (await playSeed(plan, ++seed)).failure;
    const shrunk = await shrinkFailure(failure, { plan, tries: 5 });
    expect(shrunk.story.broken).toBe(true);
    expect(shrunk.failure.path.length).toBeLessThanOrEqual(failure.path.length);
    expect(shrunk.failure.configuration.vcpus).toBeLessThanOrEqual(failure.configuration.vcpus);
  });
});

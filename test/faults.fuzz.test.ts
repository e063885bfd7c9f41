import fc from "fast-check";
import { expect, it } from "vitest";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { FAULT_CALLS, isCreationCall, isHostCall } from "../src/machine/faults/fault-calls.ts";
import { NotModelled } from "../src/not-modelled.ts";
import { load, playInModel } from "./model-machine.ts";

const SCENARIO = `
name: fuzz
machine: {memory: 3G, slots: 1, maxmem: 6G, virtioMem: [{id: vm0, size: 1G, blockSize: 2M}]}
guest: {autoOnline: online_movable}
vmm: {discard: both}
steps:
  - boot
  - resize: {device: vm0, to: 132M}
  - allocate: {name: heap, size: 8M}
  - plug: {dimm: d0, size: 128M}
  - free: {name: heap}
  - parallel: [{unplug: {dimm: d0}}, {resize: {device: vm0, to: 0}}]
  - wait: {for: idle, timeout: 20m}
`;

/** A machine whose TD is not made stays off. */
const MAKES_A_TD = new Set(FAULT_CALLS.filter(isCreationCall).map(({ name }) => name));
/** What comes before virtual time does cannot be late, nor can a host that takes none. */
const TIMELESS = new Set(
  FAULT_CALLS.filter((call) => isCreationCall(call) || isHostCall(call)).map(({ name }) => name),
);

const LATE = fc.constantFrom("0ns", "1ms", "3s");
const fault = fc
  .constantFrom(...FAULT_CALLS.filter(({ answers }) => answers.size > 0))
  .chain(({ name, answers }) =>
    fc.record({
      call: fc.constant(name),
      answer: fc.constantFrom(...answers.keys()),
      at: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 300 })),
      times: fc.integer({ min: 1, max: 6 }),
      late: TIMELESS.has(name) ? fc.constant("0ns") : LATE,
      optional: fc.constant(true),
    }),
  );

const ENDS = ["running", "panicked", "killed", "hung"];
it("whatever fails, the machine goes on, or ends by its own rules", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...DESIGN_NAMES),
      fc.constantFrom("tdx", "snp"),
      fc.integer({ min: 1, max: 1000 }),
      async (faults, design, platform, seed) => {
        const sets = [
          `faults=${JSON.stringify(faults)}`,
          `guest.design=${design}`,
          `platform=${platform}`,
          `seed=${seed}`,
        ];
        try {
          const { report } = await playInModel(load(SCENARIO, sets));
          const ends = faults.some(({ call }) => MAKES_A_TD.has(call)) ? [...ENDS, "off"] : ENDS;
          expect(ends).toContain(report.fate.state);
        } catch (error) {
          if (!(error instanceof NotModelled)) throw error;
        }
      },
    ),
    { numRuns: 60 },
  );
});

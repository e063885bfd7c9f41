import { describe, expect, it } from "vitest";
import { KERNEL_PROCEDURES } from "../../linux/kernel.ts";
import { forcedStory } from "./forced-deeds.ts";
import { HOLD_ROWS } from "./hold-points.ts";
import { scheduleOfStory } from "./story-scenario.ts";
import { asked, isAccepting, isSettled, MACHINE } from "./testing/amid-accept.ts";

const MIB = 2 ** 20;
const LONG = { timeout: 600_000 };

describe("a deed that begins amid another", LONG, () => {
  it("has the other held where the story has it", async () => {
    const { path } = asked()
      .step(/^virtio-mem/)
      .until(/^vmm vm0/, isSettled)
      .step(/^user/);
    const forced = await forcedStory(MACHINE, path);
    expect(forced.moves).toMatchObject([
      {
        ...{ deed: 0, begins: true },
        until: { point: { function: "virtio_mem_send_request", at: "return", sleeps: true }, nth: 1 },
      },
      { deed: 1, begins: true },
    ]);
    // A boot, a resize and an online of before the story; its memory is one block of 128 MiB, both units of the chunk.
    expect(scheduleOfStory(MACHINE, forced)).toMatchObject([
      { step: 3, asks: false, until: { nth: 1 }, next: [] },
      { step: 4, asks: false, next: [] },
    ]);
  });

  it("may be held too, until the other has gone on", async () => {
    const { path } = asked()
      .until(/^user/, isAccepting)
      .step(/^virtio-mem/)
      .until(/^vmm vm0/, isSettled)
      .step(/^user/);
    const forced = await forcedStory(MACHINE, path);
    expect(scheduleOfStory(MACHINE, forced)).toMatchObject([
      { step: 3, until: { point: { function: "virtio_mem_send_request", at: "entry" } }, next: [] },
      {
        step: 4,
        // The chunk and its guard: the last unit is the third of the device, which lies two blocks' halves above it.
        until: {
          point: { function: "tdx_accept_memory", at: "entry", sleeps: false },
          address: 2 ** 32 + 128 * MIB,
        },
        next: [
          { step: 3, until: { point: { function: "virtio_mem_send_request", at: "return" } } },
          { step: 4 },
        ],
      },
    ]);
  });

  it("needs another vCPU where the other keeps its own", async () => {
    const { path } = asked()
      .until(/^user/, isAccepting)
      .step(/^virtio-mem/);
    const forced = await forcedStory(MACHINE, path);
    expect(() => scheduleOfStory({ ...MACHINE, vcpus: 1 }, forced)).toThrow(
      /^user@vcpu1 is at tdx_accept_memory:page, where it keeps its vCPU, and the machine has no other$/,
    );
  });

  it("is refused with both where the other can be held nowhere", async () => {
    const { path } = asked()
      .until(/^user/, isAccepting)
      .step(/^user/)
      .step(/^virtio-mem/);
    await expect(forcedStory(MACHINE, path)).rejects.toThrow(
      /^step \d+, virtio-mem vm0: \S+, is taken while .*user@vcpu1 is at tdx_accept_memory:page.*; on a real guest nobody can be held there$/,
    );
  });
});

it("the table of hold points names steps that procedures have, each place once", () => {
  const steps = new Set(
    KERNEL_PROCEDURES.all.flatMap(({ name, labels }) => labels.map((label) => `${name}:${label}`)),
  );
  const named = HOLD_ROWS.flatMap(({ place, call, after }) => [place, call, ...(after ? [after] : [])]);
  expect(named.filter((step) => !steps.has(step))).toEqual([]);
  expect(new Set(HOLD_ROWS.map(({ place, vmm }) => `${place} ${vmm ?? ""}`)).size).toBe(HOLD_ROWS.length);
});

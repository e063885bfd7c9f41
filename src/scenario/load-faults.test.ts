import { describe, expect, it } from "vitest";
import { around, load, refusal } from "./testing/load-text.ts";

describe("faults", () => {
  const withFaults = (faults: string): string =>
    `${around("  virtioMem: [{id: vm0, size: 1G}]\n")}faults: ${faults}\n`;
  const first = (faults: string) => {
    const { place: _place, ...fault } = load(withFaults(faults)).faults[0]!;
    return fault;
  };
  const plain = { at: 1, times: 1, answer: null, late: 0, after: null, range: null, optional: false };

  it("reads maps and sentences", () => {
    expect(first("[{call: vm0 PLUG, answer: BUSY}]")).toEqual({ ...plain, call: "vm0 PLUG", answer: "BUSY" });
    expect(first("[TDG.MEM.PAGE.ACCEPT at 7 (3 times) answers PAGE_SIZE_MISMATCH(level 1)]")).toEqual({
      ...{ ...plain, call: "TDG.MEM.PAGE.ACCEPT", at: 7, times: 3 },
      answer: "PAGE_SIZE_MISMATCH(level 1)",
    });
    expect(first("[virtio-mem UNPLUG at 2 is late by 5s]")).toEqual({
      ...{ ...plain, call: "virtio-mem UNPLUG", at: 2, late: 5e9 },
    });
    expect(first("[TDG.MEM.PAGE.ACCEPT at 7 is interrupted after 100]")).toEqual({
      ...{ ...plain, call: "TDG.MEM.PAGE.ACCEPT", at: 7, answer: "INTERRUPTED", after: 100 },
    });
    expect(load(withFaults("{swarm: true}")).swarm).toMatchObject({ calls: [] });
    expect(
      load(withFaults("{swarm: {calls: [alloc_pages]}, list: [{call: alloc_pages, late: 1us}]}")),
    ).toMatchObject({
      swarm: { calls: ["alloc_pages"] },
      faults: [{ call: "alloc_pages", late: 1000 }],
    });
  });

  it.each([
    [
      "[{call: TDG.MEM.PAGE.ACEPT, answer: OPERAND_BUSY}]",
      'faults[0].call: expected a call that can fail, found "TDG.MEM.PAGE.ACEPT"; did you mean `TDG.MEM.PAGE.ACCEPT`?',
    ],
    [
      "[{call: vm1 PLUG, answer: BUSY}]",
      'faults[0].call: expected a call that can fail, found "vm1 PLUG"; did you mean `vm0 PLUG`?',
    ],
    [
      "[{call: TDG.MEM.PAGE.ACCEPT, answer: EPT_ENTRY_FREE}]",
      'faults[0].answer: expected an answer that TDG.MEM.PAGE.ACCEPT can give, found "EPT_ENTRY_FREE"; use OPERAND_INVALID, OPERAND_BUSY, PAGE_ALREADY_ACCEPTED, PAGE_SIZE_MISMATCH or INTERRUPTED',
    ],
    [
      "[{call: virtio-mem UNPLUG, answer: NACK}]",
      'faults[0].answer: expected an answer that virtio-mem UNPLUG can give, found "NACK"; use BUSY, ERROR or NO_REPLY',
    ],
    [
      "[{call: TDG.VP.INFO, answer: OPERAND_BUSY}]",
      'faults[0].answer: expected an answer that TDG.VP.INFO can give, found "OPERAND_BUSY"; it can only be late',
    ],
    [
      "[{call: alloc_pages}]",
      "faults[0].call: expected an `answer` or `late` beside `call`, found neither; say what goes wrong",
    ],
    [
      "[{call: alloc_pages, answer: -ENOMEM, range: {at: 4G}}]",
      "faults[0].range: expected a range for a call about memory, found `alloc_pages`; remove it",
    ],
    [
      "[{call: alloc_pages, answer: -ENOMEM, after: 3}]",
      'faults[0].after: expected `after` beside the answer INTERRUPTED, or an answer of MapGPA, found "-ENOMEM"; remove it',
    ],
    [
      "[TDG.MEM.PAGE.ACCEPT fails]",
      'faults[0]: expected a fault such as `TDG.MEM.PAGE.ACCEPT at 7 answers OPERAND_BUSY`, found "TDG.MEM.PAGE.ACCEPT fails"; see docs/scenarios.md for its forms',
    ],
    [
      "{swarm: {calls: [alloc_page]}}",
      'faults.swarm.calls[0]: expected a call that can fail, found "alloc_page"; did you mean `alloc_pages`?',
    ],
    ["{swarm: true, list: [{call: x, answer: y}]}", "faults.list[0].call: expected a call that can fail"],
  ])("refuses %s", (faults, message) => {
    expect(refusal(withFaults(faults))).toContain(message);
  });
});

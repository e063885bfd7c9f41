import fc from "fast-check";
import { expect, it } from "vitest";
import { statusWord } from "../../abi/tdx/status.ts";
import { answerOf, answerText } from "./fault-answer.ts";
import { FAULT_CALLS, type FaultCall } from "./fault-calls.ts";

const named = (name: string): FaultCall => FAULT_CALLS.find((call) => call.name === name)!;

const word = (call: string, text: string): string | undefined => {
  const answer = answerOf(named(call), text);
  return answer === undefined ? undefined : statusWord(answer as never).toString(16);
};

it("reads a status by name, with its details, and as a word", () => {
  expect(word("TDG.MEM.PAGE.ACCEPT", "OPERAND_BUSY")).toBe("8000020000000001");
  expect(word("TDH.MEM.PAGE.AUG", "OPERAND_BUSY(SEPT_TREE)")).toBe("8000020000000092");
  expect(word("TDG.MEM.PAGE.ACCEPT", "PAGE_ALREADY_ACCEPTED(level 1)")).toBe("b0a00000001");
  expect(word("TDG.MEM.PAGE.ACCEPT", "0xC000010000000001")).toBe("c000010000000001");
});

it("refuses what the real component cannot answer", () => {
  for (const text of [
    "SUCCESS",
    "EPT_ENTRY_FREE",
    "OPERAND_BUSY(NOTHING)",
    "OPERAND_BUSY(",
    "0x0",
    "BUSY",
    "",
  ])
    expect([text, answerOf(named("TDG.MEM.PAGE.ACCEPT"), text)]).toEqual([text, undefined]);
  expect(answerOf(named("virtio-mem UNPLUG"), "NACK")).toBeUndefined();
  expect(answerOf(named("virtio-mem UNPLUG_ALL"), "ERROR")).toBeUndefined();
  expect(answerOf(named("virtio-mem PLUG"), "ACK")).toBeUndefined();
  expect(answerOf(named("alloc_pages"), "-EIO")).toBeUndefined();
});

it("every answer of every call is written as it is read", () => {
  for (const [call, { name, answers }] of FAULT_CALLS.entries())
    for (const [text, answer] of answers) {
      const rule = {
        call,
        device: -1,
        start: 0,
        end: 1,
        first: 1,
        times: 1,
        rate: 0,
        lateNs: 0,
        after: 0,
        answer,
      };
      expect([name, answerOf(named(name), answerText(rule))]).toEqual([name, answerOf(named(name), text)]);
    }
});

it("what software has to live with is among a call's answers", () => {
  for (const { name, answers, survivable } of FAULT_CALLS)
    expect([name, survivable.filter((answer) => !answers.has(answer))]).toEqual([name, []]);
});

it("reads any text without harm", () => {
  fc.assert(
    fc.property(fc.constantFrom(...FAULT_CALLS), fc.string({ maxLength: 80 }), (call, text) => {
      const answer = answerOf(call, text);
      expect(answer === undefined || Number.isSafeInteger(answer)).toBe(true);
    }),
  );
});

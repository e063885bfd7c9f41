import { expect, it } from "vitest";
import { prologueOf } from "./prologue.ts";

const ENDBR = [0xf3, 0x0f, 0x1e, 0xfa];
const SEALED = [0x0f, 0x1f, 0x40, 0xd6];
const NOP = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const CALL = [0xe8, 1, 2, 3, 4];
const PUSH = [0x41, 0x57];

it.each([
  ["endbr64 and a call to __fentry__", [...ENDBR, ...CALL], { endbr: true, fentry: 4, skip: 4 }],
  ["endbr64 and the ftrace nop", [...ENDBR, ...NOP, ...PUSH], { endbr: true, fentry: 4, skip: 9 }],
  ["a sealed endbr64", [...SEALED, ...PUSH], { endbr: true, fentry: undefined, skip: 4 }],
  ["the ftrace nop", [...NOP, ...PUSH], { endbr: false, fentry: 0, skip: 5 }],
  ["a call to __fentry__", CALL, { endbr: false, fentry: 0, skip: 0 }],
  ["neither", PUSH, { endbr: false, fentry: undefined, skip: 0 }],
  ["nothing", [], { endbr: false, fentry: undefined, skip: 0 }],
])("a function that starts with %s", (_, bytes, prologue) => {
  expect(prologueOf(Uint8Array.from(bytes))).toEqual(prologue);
});

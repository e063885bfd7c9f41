import fc from "fast-check";
import { expect, it } from "vitest";
import { GdbFormatError } from "./gdb-error.ts";
import { bytesOf } from "./hex-text.ts";
import {
  checkOk,
  featuresOf,
  memoryOf,
  packetSizeOf,
  refusalOf,
  threadsOf,
  transferPieceOf,
} from "./replies.ts";
import { isStopReply, signalName, stopReplyOf } from "./stop-reply.ts";

const THREAD = { process: 1, thread: 2 };

it.each([
  ["T05thread:p01.02;", { kind: "stopped", signal: 5, reason: { kind: "unsaid" }, thread: THREAD }],
  [
    "T05thread:p01.02;watch:ffff888140000000;",
    {
      kind: "stopped",
      signal: 5,
      reason: { kind: "watchpoint", access: "write", address: 0xffff_8881_4000_0000n },
      thread: THREAD,
    },
  ],
  [
    "T05awatch:1000;thread:2",
    {
      kind: "stopped",
      signal: 5,
      reason: { kind: "watchpoint", access: "access", address: 0x1000n },
      thread: { process: 0, thread: 2 },
    },
  ],
  [
    "T05rwatch:0;",
    {
      kind: "stopped",
      signal: 5,
      reason: { kind: "watchpoint", access: "read", address: 0n },
      thread: undefined,
    },
  ],
  [
    "T05swbreak:;thread:p1.2;",
    { kind: "stopped", signal: 5, reason: { kind: "software breakpoint" }, thread: THREAD },
  ],
  [
    "T05hwbreak:;",
    { kind: "stopped", signal: 5, reason: { kind: "hardware breakpoint" }, thread: undefined },
  ],
  ["T0206:00000000;core:3;", { kind: "stopped", signal: 2, reason: { kind: "unsaid" }, thread: undefined }],
  ["T02", { kind: "stopped", signal: 2, reason: { kind: "unsaid" }, thread: undefined }],
  ["S8f", { kind: "stopped", signal: 143, reason: { kind: "unsaid" }, thread: undefined }],
  ["W00", { kind: "exited", status: 0 }],
  ["W2a;process:1", { kind: "exited", status: 42 }],
  ["X09", { kind: "killed", signal: 9 }],
  ["O6869", { kind: "output", bytes: Uint8Array.of(0x68, 0x69) }],
])("the stop reply %s is read", (payload, reply) => {
  expect(stopReplyOf(bytesOf(payload))).toEqual(reply);
});

it.each([
  "",
  "T",
  "T5",
  "Tzz",
  "T05thread",
  "T05:1;",
  "T05watch:;",
  "T05thread:q;",
  "S055",
  "W",
  "W123",
  "O1",
  "OK",
  "E22",
])("the stop reply %j is refused", (payload) => {
  expect(() => stopReplyOf(bytesOf(payload))).toThrow(GdbFormatError);
});

it("no other answer is taken for a stop reply", () => {
  for (const payload of ["", "OK", "E22", "00", "l", "m1", "0", "PacketSize=1000", "T0"]) {
    expect(isStopReply(bytesOf(payload)), payload).toBe(false);
  }
  for (const payload of ["T05", "S05", "W00", "X06"])
    expect(isStopReply(bytesOf(payload)), payload).toBe(true);
});

it("signals have GDB's names, and keep their number if they have none", () => {
  expect([2, 5, 143, 77].map(signalName)).toEqual(["SIGINT", "SIGTRAP", "SIGUNKNOWN", "signal 77"]);
});

it("a refusal is E and two digits or an empty packet", () => {
  expect(refusalOf(bytesOf("E22"))).toEqual({ kind: "error", digits: "22" });
  expect(refusalOf(bytesOf(""))).toEqual({ kind: "unknown" });
  for (const payload of ["OK", "E2", "E222", "Ezz", "0E22"])
    expect(refusalOf(bytesOf(payload))).toBeUndefined();
});

it("OK is OK and nothing else", () => {
  checkOk(bytesOf("OK"));
  for (const payload of ["", "O", "OKK", "ok"])
    expect(() => checkOk(bytesOf(payload))).toThrow(GdbFormatError);
});

it("QEMU's features are read", () => {
  const features = featuresOf(bytesOf("PacketSize=1000;qXfer:features:read+;vContSupported+;swbreak-;x?"));
  expect([...features]).toEqual([
    ["PacketSize", "1000"],
    ["qXfer:features:read", true],
    ["vContSupported", true],
    ["swbreak", false],
    ["x", false],
  ]);
  expect(packetSizeOf(features)).toBe(4096);
  expect(packetSizeOf(featuresOf(bytesOf("")))).toBe(400);
});

it("a feature without a form and a packet size that carries nothing are refused", () => {
  expect(() => featuresOf(bytesOf("nothing"))).toThrow(/name\+, name- or name=value/);
  for (const size of ["0", "3f", "zz", "ffffffff", ""]) {
    expect(() => packetSizeOf(featuresOf(bytesOf(`PacketSize=${size}`))), size).toThrow(GdbFormatError);
  }
});

it("transfers, threads and memory are read as QEMU writes them", () => {
  expect(transferPieceOf(bytesOf("l<t>"))).toEqual({ bytes: bytesOf("<t>"), last: true });
  expect(transferPieceOf(bytesOf("m"))).toEqual({ bytes: bytesOf(""), last: false });
  expect(threadsOf(bytesOf("mp01.01,p01.02"))).toEqual([{ process: 1, thread: 1 }, THREAD]);
  expect(threadsOf(bytesOf("l"))).toBeUndefined();
  expect(memoryOf(bytesOf("90F4"), 2)).toEqual(Uint8Array.of(0x90, 0xf4));
  expect(() => memoryOf(bytesOf("90f4"), 3)).toThrow(/expected 3 bytes, found 2/);
});

it("every reader ends in a value or its own error, whatever the payload", () => {
  const readers = [
    stopReplyOf,
    refusalOf,
    featuresOf,
    (payload: Uint8Array) => packetSizeOf(featuresOf(payload)),
    transferPieceOf,
    threadsOf,
    checkOk,
    (payload: Uint8Array) => memoryOf(payload, 4),
  ];
  const letters = fc.string({
    unit: fc.constantFrom(..."TSWXOEmlp.,;:=+-?0123456789abcdefwatchreod \xff"),
    maxLength: 60,
  });
  const head = fc.constantFrom("", "T05", "T05thread:", "T05watch:", "W", "m", "PacketSize=");
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(head, letters).map(([a, b]) => bytesOf(a + b)),
  );
  fc.assert(
    fc.property(payload, (bytes) => {
      for (const read of readers) {
        try {
          read(bytes);
        } catch (error) {
          if (!(error instanceof GdbFormatError)) throw error;
          expect(error.message).not.toMatch(/[\n\r]/);
        }
      }
    }),
    { numRuns: 3000 },
  );
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { GdbFormatError } from "./gdb-error.ts";
import { bytesOf, textOf } from "./hex-text.ts";
import { encodePacket, type GdbFrame, PacketDecoder } from "./packets.ts";

const decoded = (text: string, longest?: number): string[] =>
  new PacketDecoder(longest).push(bytesOf(text)).map(frameText);

const frameText = (frame: GdbFrame): string =>
  "payload" in frame ? `${frame.kind} ${textOf(frame.payload)}` : frame.kind;

it.each([
  ["g", "$g#67"],
  ["OK", "$OK#9a"],
  ["", "$#00"],
  ["P10=f0ff000000000000", "$P10=f0ff000000000000#90"],
  // '}' is 7d; '#' ^ 20 = 03, '$' ^ 20 = 04, '}' ^ 20 = 5d, '*' ^ 20 = 0a; the sum is of the bytes as sent.
  ["#", "$}\x03#80"],
  ["$", "$}\x04#81"],
  ["}", "$}]#da"],
  ["*", "$}\n#87"],
])("a payload %j is the packet %j", (payload, packet) => {
  expect(textOf(encodePacket(payload))).toBe(packet);
  expect(decoded(packet)).toEqual([`packet ${payload}`]);
});

it("a run stands for its character and count minus 29 more", () => {
  expect(decoded("$0* #7a")).toEqual(["packet 0000"]);
  expect(decoded('$x0*"y#6d')).toEqual(["packet x000000y"]);
});

it("a run of the longest count gives 97 more", () => {
  expect(decoded("$0*~#d8")).toEqual([`packet ${"0".repeat(98)}`]);
});

it("acknowledgements, interrupts and notifications come between packets, in order", () => {
  expect(decoded("+$OK#9a-\x03%Stop:T05#99+")).toEqual([
    "ack",
    "packet OK",
    "nack",
    "interrupt",
    "notification Stop:T05",
    "ack",
  ]);
});

it("checksum digits of either case are taken", () => {
  expect(decoded("$OK#9A")).toEqual(["packet OK"]);
});

it.each([
  ["a byte that belongs to no packet", '{"QMP"', /expected a packet, found "\{"/],
  ["a wrong checksum", "$OK#9b", /packet "OK": expected checksum 9a, found 9b/],
  ["a checksum that is no number", "$OK#9g", /expected a checksum digit, found "g"/],
  ["a bare $ in a payload", "$O$K#9a", /no bare "\$" inside/],
  ["a run of nothing", "$* #4a", /a character before a run/],
  ["a run with too small a count", "$0*\x1f#79", /a run's count/],
  ["a run whose count is a mark", "$0*##7d", /a run's count/],
  ["an escape at the end", "$}#7d", /a byte after an escape/],
  ["a payload longer than the bound", "$0123456789", /at most 8 bytes/],
])("%s is refused", (_what, text, message) => {
  const decoder = new PacketDecoder(8);
  expect(() => decoder.push(bytesOf(text))).toThrow(message);
  expect(() => decoder.push(bytesOf("$OK#9a"))).toThrow(GdbFormatError);
});

it("a run cannot grow a payload beyond the bound", () => {
  expect(() => decoded(`$${"0*~".repeat(100)}`, 4096)).toThrow(/at most 4096 bytes/);
});

const cut = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [...new Set(cuts.map((c) => c % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
};

it("any payload survives encode and decode, wherever the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
      fc.array(fc.nat()),
      (payloads, cuts) => {
        const packets = payloads.map(encodePacket);
        const stream = Uint8Array.from(packets.flatMap((packet) => [...packet]));
        const decoder = new PacketDecoder();
        const frames = cut(stream, cuts).flatMap((chunk) => decoder.push(chunk));
        expect(frames).toEqual(payloads.map((payload) => ({ kind: "packet", payload })));
        expect(decoder.midway).toBe(false);
      },
    ),
  );
});

it("any bytes decode or are refused by the decoder's own error, alike in one chunk and in many", () => {
  const wire = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.string({ unit: fc.constantFrom(..."$#*}+-%\x03 ~0a9"), maxLength: 80 }).map(bytesOf),
  );
  const outcome = (chunks: readonly Uint8Array[]): string[] | "refused" => {
    const decoder = new PacketDecoder(64);
    try {
      return chunks.flatMap((chunk) => decoder.push(chunk)).map(frameText);
    } catch (error) {
      if (!(error instanceof GdbFormatError)) throw error;
      return "refused";
    }
  };
  fc.assert(
    fc.property(wire, fc.array(fc.nat()), (bytes, cuts) => {
      expect(outcome(cut(bytes, cuts))).toEqual(outcome([bytes]));
      const decoder = new PacketDecoder(64);
      try {
        for (const frame of decoder.push(bytes)) {
          if ("payload" in frame) expect(frame.payload.length).toBeLessThanOrEqual(64);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(GdbFormatError);
      }
    }),
    { numRuns: 2000 },
  );
});

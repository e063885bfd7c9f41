import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError, type Layout, type Struct } from "../bytes.ts";
import { VIRTIO_MEM_CONFIG, virtioMemFeatureNames } from "./config.ts";
import { VIRTIO_MEM_REQ, VIRTIO_MEM_REQUEST, virtioMemRequest, virtioMemRequestName } from "./request.ts";
import {
  VIRTIO_MEM_RESP,
  VIRTIO_MEM_RESPONSE,
  VIRTIO_MEM_STATE,
  virtioMemResponse,
  virtioMemResponseName,
  virtioMemStateName,
} from "./response.ts";

it("packs a PLUG of three blocks at 6 GiB", () => {
  expect([...virtioMemRequest("PLUG", 0x1_8000_0000n, 3)]).toEqual([
    ...[0, 0, 0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0x80, 1, 0, 0, 0],
    ...[3, 0, 0, 0, 0, 0, 0, 0],
  ]);
});

it("packs the response to STATE of a range that is partly plugged", () => {
  expect([...virtioMemResponse("ACK", "MIXED")]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
  expect([...virtioMemResponse("ERROR")]).toEqual([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

it("numbers requests, responses and states as the specification does", () => {
  expect(VIRTIO_MEM_REQUEST).toEqual({ PLUG: 0, UNPLUG: 1, UNPLUG_ALL: 2, STATE: 3 });
  expect(VIRTIO_MEM_RESPONSE).toEqual({ ACK: 0, NACK: 1, BUSY: 2, ERROR: 3 });
  expect(VIRTIO_MEM_STATE).toEqual({ PLUGGED: 0, UNPLUGGED: 1, MIXED: 2 });
});

it("a code without a name keeps its number", () => {
  expect([virtioMemRequestName(2), virtioMemRequestName(9)]).toEqual(["UNPLUG_ALL", "request type 9"]);
  expect([virtioMemResponseName(1), virtioMemResponseName(4)]).toEqual(["NACK", "response type 4"]);
  expect([virtioMemStateName(2), virtioMemStateName(3)]).toEqual(["MIXED", "state 3"]);
});

it("names the features of the word QEMU 7.2 offers", () => {
  expect(virtioMemFeatureNames(0x101_3000_0001n)).toEqual([
    "ACPI_PXM",
    "bit 28",
    "bit 29",
    "bit 32",
    "bit 40",
  ]);
  expect(virtioMemFeatureNames(6n)).toEqual(["UNPLUGGED_INACCESSIBLE", "PERSISTENT_SUSPEND"]);
});

it("reads the configuration space by the offsets of the specification", () => {
  const bytes = new Uint8Array(56);
  const fields = {
    blockSize: 0,
    addr: 0x10,
    regionSize: 0x18,
    usableRegionSize: 0x20,
    pluggedSize: 0x28,
    requestedSize: 0x30,
  };
  for (const [i, at] of Object.values(fields).entries()) bytes[at + 2] = i + 1;
  bytes[8] = 7;
  expect(VIRTIO_MEM_CONFIG.decode(bytes)).toEqual({
    blockSize: 0x1_0000n,
    nodeId: 7,
    padding: new Uint8Array(6),
    addr: 0x2_0000n,
    regionSize: 0x3_0000n,
    usableRegionSize: 0x4_0000n,
    pluggedSize: 0x5_0000n,
    requestedSize: 0x6_0000n,
  });
});

const losesNothing = <L extends Layout>(codec: Struct<L>): void =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      if (bytes.length < codec.size) expect(() => codec.decode(bytes)).toThrow(DecodeError);
      else expect(codec.encode(codec.decode(bytes))).toEqual(bytes.slice(0, codec.size));
    }),
  );

it("any bytes survive decode and encode, and too few are refused with DecodeError", () => {
  losesNothing(VIRTIO_MEM_CONFIG);
  losesNothing(VIRTIO_MEM_REQ);
  losesNothing(VIRTIO_MEM_RESP);
});

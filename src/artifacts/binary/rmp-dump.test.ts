import { describe, expect, it } from "vitest";
import { RMP_ENTRY_BYTES, RMP_HEAD_BYTES } from "../../abi/snp/rmp-entry.ts";
import { readArtifact, troublesIn } from "../testing/read-artifact.ts";

const ASSIGNED = 1n;
const LARGE = 2n;
const VALIDATED = 1n << 62n;
const guest = (asid: bigint, gfn: bigint): bigint => ASSIGNED | (asid << 51n) | (gfn << 12n);

/** A table of 4 MiB of memory whose entries are the given low quadwords by index. */
const dump = (entries: { readonly [index: number]: bigint }): Uint8Array => {
  const bytes = new Uint8Array(RMP_HEAD_BYTES + 1024 * RMP_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, raw] of Object.entries(entries))
    view.setBigUint64(RMP_HEAD_BYTES + Number(index) * RMP_ENTRY_BYTES, raw, true);
  return bytes;
};

describe("a dump of an RMP", () => {
  it("is known by its content, and tells what firmware and each guest have", () => {
    const bytes = dump({
      1: ASSIGNED,
      3: guest(7n, 9n),
      4: guest(5n, 7n) | VALIDATED,
      512: guest(5n, 1024n) | LARGE | VALIDATED,
    });
    const { sink, source } = readArtifact(bytes, 1000);
    expect(source.kinds).toEqual(["RMP dump"]);
    expect(sink.facts).toMatchObject([
      {
        kind: "rmp-dump",
        described: 2 ** 22,
        firmware: 4096,
        guests: [
          { asid: 5, bytes: 2 ** 21 + 4096, validated: 2 ** 21 + 4096, pages2M: 1, pages4K: 1 },
          { asid: 7, bytes: 4096, validated: 0, pages2M: 0, pages4K: 1 },
        ],
      },
    ]);
  });
  it("that contradicts itself is read up to there", () => {
    const bytes = dump({ 4: guest(5n, 7n) | VALIDATED, 9: guest(5n, 7n) | VALIDATED, 10: guest(6n, 7n) });
    expect(troublesIn(bytes)).toEqual([
      "error @16528: one such page, and entry 4 is one | a page that is validated for 0x7000 of guest 5",
    ]);
    expect(readArtifact(bytes).sink.facts).toMatchObject([{ guests: [{ asid: 5, bytes: 4096 }] }]);
  });
  it("that is damaged in its first entries is one only if somebody says so", () => {
    const bytes = dump({ 4: 8n });
    expect(readArtifact(bytes).source.kinds).toEqual([]);
    expect(readArtifact(bytes).source.not).toContainEqual({
      kind: "RMP dump",
      why: "from byte 16384 on nothing that is assigned, or other than entries (--rmp reads it all the same)",
    });
    expect(readArtifact(bytes, 2 ** 20, true).sink.troubles).toMatchObject([
      { at: { offset: 16384 + 64 }, expected: "no reserved bit set", found: "0x8" },
    ]);
  });
  it("that is cut inside an entry says so", () => {
    const bytes = dump({ 4: guest(5n, 7n) }).slice(0, -3);
    expect(readArtifact(bytes, 2 ** 20, true).sink.troubles).toMatchObject([
      { at: { offset: 32752 }, expected: "16384 bytes and a multiple of 16", found: "32765 bytes" },
    ]);
  });
});

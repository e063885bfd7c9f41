import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { getBig, R8 } from "../abi/tdx/regs.ts";
import { OneTd } from "./one-td.ts";
import { DIGEST_WORDS, SHA384_WORDS, sha384Block, sha384Finish, sha384Start } from "./sha384.ts";

const digest = (bytes: Uint8Array): string => {
  const words = new Uint32Array(SHA384_WORDS + DIGEST_WORDS);
  sha384Start(words, 0);
  for (let at = 0; at < bytes.length; at += 128) sha384Block(words, 0, bytes.subarray(at, at + 128));
  sha384Finish(words, 0, SHA384_WORDS);
  return Buffer.from(words.buffer, SHA384_WORDS * 4, DIGEST_WORDS * 4).toString("hex");
};

it("hashes whole blocks as everyone does", () => {
  fc.assert(
    fc.property(fc.nat(5), fc.infiniteStream(fc.nat(255)), (blocks, stream) => {
      const bytes = Uint8Array.from([...stream.take(blocks * 128)]);
      expect(digest(bytes)).toBe(createHash("sha384").update(bytes).digest("hex"));
    }),
  );
});
it("measures the added pages, in order, by their addresses", () => {
  const pages = [0x10_0000, 0x10_1000, 2 ** 40];
  const one = new OneTd({ finalize: false });
  const image = createHash("sha384");
  for (const gpa of pages) {
    one.tables(gpa);
    expect(one.onPage("TDH.MEM.PAGE.ADD", gpa, 0, { R8: one.page(), R9: 0x5000 })).toBe(0);
    const block = Buffer.alloc(128);
    block.write("MEM.PAGE.ADD");
    block.writeBigUInt64LE(BigInt(gpa), 16);
    image.update(block);
  }
  one.seamcall("TDH.MR.FINALIZE", { RCX: one.tdr });
  one.enter();
  const mrtd = Buffer.alloc(48);
  for (let i = 0; i < 6; i++) {
    expect(one.tdcall("TDG.VM.RD", { RDX: 0x1310_0003_0000_0000n + BigInt(i) })).toBe(0);
    mrtd.writeBigUInt64LE(getBig(one.guest, R8), 8 * i);
  }
  expect(mrtd.toString("hex")).toBe(image.digest("hex"));
});

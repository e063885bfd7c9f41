import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { restoreX86Branches } from "./x86-branches.ts";
import { decompressXz } from "./xz.ts";
import { withoutX86Filter } from "./xz-container.ts";

/** 3000 bytes like code: calls and jumps with near distances, some opcodes close together, other bytes between. */
const CODE = Uint8Array.from({ length: 3000 }, (_, n) => {
  const byte = (n * 7919) % 251;
  const inCall = n % 13;
  if (inCall === 0) return n % 2 === 0 ? 0xe8 : 0xe9;
  if (inCall === 4) return byte % 3 === 0 ? 0xff : 0x00;
  if (inCall === 2 && byte % 5 === 0) return 0xe8;
  return byte;
});

/** CODE as xz 5.4.1 wrote it: --check=crc32 --x86 --lzma2, as the kernel's build calls it, and with two blocks. */
const ONE_BLOCK = bytesOf(
  "/Td6WFoAAAFpIt42AgEEACEBGgAByYCz4Au3BeJdAHQj2Qoi+aawGgZGIybfipO6i+7WSaMcRfa+zQwvFDL4ndivafPacWvRg4MWAERlVdrU2Vwoneg6mCoUwqWbw3OAM9qWm9gyN9z3rDrPqKnCow5UuHCJRQXLMJ/cB0hQymKnO/2fRzWz4ocQDxmlppv0zlwbqvGXhhgRYmyAhXZC3wcCHp/A8eYEegafeVuUJz1di2kM5kyps4jzi7H50W7uhPlN6BK4nMPxA3c9KeRqX9p8jtLvpFTCCvbic6te5crE6VsU/RzahiIG+3yOeYzj70MOlndLThLeG8o6CJLiVARMtGQZ3hAZ9yUpi0QisUJpgXjnFje7v25si0lhNNCnnTXnZxFvs3k6kM/cOR11Xu0RuylmmSY64JD/k6jBq++F5uPtAaWzmlDtxMHI3U3hrmeC8/ZttWoq/rFMmeVk/tMlLlKUkwfMBB0SO/hUSe4F7Bgi2dujqQd0uWXSYKrlr6sC8Pna+myEAvs18sQwwd1kgyQftyIgK8UicR6lH9YYop+p5veZE8lROG+/bbQia2NLgx+CJPXzMlI/Ap9lkg9rnqQnMmjLP6ncawXvF65IAmfr/9d89Uu1XZgUR49HV3/2YSfsNUPoA/F2g8Z6jRbNX07ph9leMqY0sEncXDTofgIjkIguK31L4v9RPFH82DzZm+1/FXgRgMqFaAmg7N9HnE4q8gQbXoI0Q+hokmbSFOjvr00T0ITQ64B2X8raptkum1wtqTDNjj28827cb0Z4M0g4w7JzwJKvzIS0rjhodvUPNadZDE436LUMb2VMqqM9HQke4hxdYOLkBNscDWeoKJvVBIsZsDKO4PeaY2ihONeqD8YxYQ6lTLngUZLXlMIXw48vYcuySBl/1gySZ/PLex3QK6bkd6EHs0KHzB0XC/An98gO0Rfn6MZb/hsMiVHQn1RtcZ0PqGSxEjy1fsAHRAUMQkZVT092Jf+xMjeCqdvWDcnuxCVlr5J6iTDtquG3iXJKleAi0cDLuyiL2FASM6zT+a5GDcnMR7aBAitib9l3wZ9c10KmCBtEY0GUlpAbcf4gDAKbJIKqHcrdSb/E04Nux6lAbCrb6Ue9ClaCBgHbK9VD7s6Jo9/MHwOLY8+/OVrPYRdp4j3m0uz9N+hQslI6qbPXFTL9FoQ5lWEGO7OQs0XVkUEj+QFYSqjU3ONlu15J/pCWIwmgAjJBkd5idz8IPiJe6Eg6VAY1wNliv9A5Gs+RyivAv1sbr1LbMarQdigKarSvQz8evlI5KLCUK+B8tb86UygR2cioAx+wbNQ5vzhqDLEYYIF5fjQXjrxJytwY/lJ8jAh6G+y/8+0XwcvmyKj1td1LBPoDeA1rOAEMwAURjLkBh69bOx3W+l2/xq9YyJWjhVVGClJ4e6DfADZxh6mTzkL6tzhRaUQLvib+3Jd41KNS7EklPFTlLBzqWLeF/1BdjELkQ6mB+XaDnDpkzjFk1+oILE4Yd4pXzVm4Ri6eVYipcpZsIITz4VkL++gO7c6oDq9BnbTnQLLLJbaqRxgtMlOXMmDil24VmYzsQwKxcQvpZdhFxwmPQ/KfePRcqNdH/3vY0bx5qx5WZwNjFA6KZjXRT8adSOWO09TV/pb0xUUKfvARV4rVdwAeFvGLpHnViaSCVzVcsPaiW5QaZllnTFWYgGn3ymkcGhMwDeLPbX0uNsj4cPZFHQ2ntHwy74pFbEfcJukAgj+U6yJBfAfXGK6Wsnox/0y4JATclMjglcnMqunM1yuAuSMNW++AgN3+ynKrix7XnI+1PaNJ9RXL71c7b2JjeiSjOTip3NfZnyCU62V1tZSwoi6Ib7924tEJbbjdmwSJ0GVIHyhnt75mDLmNi1oEbR1tChcusuQHX/ZyiBgm8UopttyRemJ14F7FIZwq/827MFwyu0yVWiJrNxkG4j9K/1vHemJH59KdfCVC0UhnrHmd4VG9vhfRJ4EH6SLMu00cWXRpT/90PNVXiS14H1J8zcw8WLy69HXJFuKRHacPtKoDDAAAAItER10AAfoLuBcAADMMI8E+MA2LAgAAAAABWVo=",
);
const TWO_BLOCKS = bytesOf(
  "/Td6WFoAAAFpIt42AgEEACEBCADSuXTL4AfPBF5dAHQj2Qoi+aawGgZGIybfipO6i+7WSaMcRfa+zQwvFDL4ndivafPacWvRg4MWAERlVdrU2Vwoneg6mCoUwqWbw3OAM9qWm9gyN9z3rDrPqKnCow5UuHCJRQXLMJ/cB0hQymKnO/2fRzWz4ocQDxmlppv0zlwbqvGXhhgRYmyAhXZC3wcCHp/A8eYEegafeVuUJz1di2kM5kyps4jzi7H50W7uhPlN6BK4nMPxA3c9KeRqX9p8jtLvpFTCCvbic6te5crE6VsU/RzahiIG+3yOeYzj70MOlndLThLeG8o6CJLiVARMtGQZ3hAZ9yUpi0QisUJpgXjnFje7v25si0lhNNCnnTXnZxFvs3k6kM/cOR11Xu0RuylmmSY64JD/k6jBq++F5uPtAaWzmlDtxMHI3U3hrmeC8/ZttWoq/rFMmeVk/tMlLlKUkwfMBB0SO/hUSe4F7Bgi2dujqQd0uWXSYKrlr6sC8Pna+myEAvs18sQwwd1kgyQftyIgK8UicR6lH9YYop+p5veZE8lROG+/bbQia2NLgx+CJPXzMlI/Ap9lkg9rnqQnMmjLP6ncawXvF65IAmfr/9d89Uu1XZgUR49HV3/2YSfsNUPoA/F2g8Z6jRbNX07ph9leMqY0sEncXDTofgIjkIguK31L4v9RPFH82DzZm+1/FXgRgMqFaAmg7N9HnE4q8gQbXoI0Q+hokmbSFOjvr00T0ITQ64B2X8raptkum1wtqTDNjj28827cb0Z4M0g4w7JzwJKvzIS0rjhodvUPNadZDE436LUMb2VMqqM9HQke4hxdYOLkBNscDWeoKJvVBIsZsDKO4PeaY2ihONeqD8YxYQ6lTLngUZLXlMIXw48vYcuySBl/1gySZ/PLex3QK6bkd6EHs0KHzB0XC/An98gO0Rfn6MZb/hsMiVHQn1RtcZ0PqGSxEjy1fsAHRAUMQkZVT092Jf+xMjeCqdvWDcnuxCVlr5J6iTDtquG3iXJKleAi0cDLuyiL2FASM6zT+a5GDcnMR7aBAitib9l3wZ9c10KmCBtEY0GUlpAbcf4gDAKbJIKqHcrdSb/E04Nux6lAbCrb6Ue9ClaCBgHbK9VD7s6Jo9/MHwOLY8+/OVrPYRdp4j3m0uz9N+hQslI6qbPXFTL9FoQ5lWEGO7OQs0XVkUEj+QFYSqjU3ONlu15J/pCWIwmgAjJBkd5idz8IPiJe6Eg6VAY1wNliv9A5Gs+RyivAv1sbr1LbMarQdigKarSvQz8evlI5KLCUK+B8tb86UygR2cioAx+wbNQ5vzhqDLEYYIF5fjQXjrxJytwY/lJ8jAh6G+y/8+0XwcvmyKj1td1LBPoDeA1rOAEMwAURjLkBh69bOx3W+l2/xq9YyJWjhVVGClJ4e6DfADZxh6mTzkL6tzhRaUQLvib+3Jd41KNS7EklPFTlLBzqWLeF/1BdjELkQ6mB+XaDnDpkzjFk1+oILE4Yd4pXzVm4Ri6eVYcGWs4AAAAA2v3O0AIBBAAhAQgA0rl0y+AD5wK7XQBLiZkEZnu2WHfrTWQP908DZz3kIIJUJTk/5uOBO2oNdbB63oLZJJOY8Coyjfweuq3uJxFVHKgyBaIGdbUpUsB2nEir8JPrilMAb9R5P76vdln5NShuxw9X9GSJCLShRy3dzpxTtLWjduMWN6mweeT6349wNAVlQDsTJxOKnu/WH8CiX3PYJuTxPOBeM3yob8O8WeejXfXRrKh88d6wWv034iz+s0FbYHrgJfNh3LtA1sRviezpBNT4hA5lVHtEaGDEmABhdETWS8SLK5qiq/jswRBQu0lbly/st/uYfDgXJrLS6xzQ3/cWZVGGLv8k6ukTHEiYygdDzbxJDijLNbYdSK58aPxxc5tMuDZcDAKCsH6uiqwPkLqOoOUBANDHfjGHo1uklufjkCLx0vJNnKoLKNgcWviz2/1Q4LPisBQYbQIGEQSviFtCDdTss6B02yw49UT7XVujMFkm0kbdhrd3vAn0tdJlezryiPb/b2uOPylECl4dHsX9WGNvb5NiRzlObpRnOqyzt+WJdLnwJi8xsxJ8Ee8Huf1MaJAfbZcTheuKmtfpi0+mJcxVvBRvqYgp/116D4v8C+WD1KQwiHG7n5UoTKkuRptIaU3Wo31NziZDfDI5EdruokZX4ZZDx7+DYNJk3efuGEuU/Nuu7BYjfKNfZo/etzQjAtYUIeJ4LRBijgBDQI+qNosrGGHOIBPme72y6AMHw9n5iaQVe9GKzhUNrq3RPoons42LukZlqYj7rxjvXgPzN1GL2PRSSmfFXoVcxLNkssciOLJyLFSV39Z5XOrBlJ1PgOeh78FuYL+F7tPHt2D3FUHKKkRYzwRL9ziF5eUmr5afzOyiyx5coZfrHIjopAnhVDRXcWbQxJ29e/l9+2NGtVopVAAeMdEwEZgJWPCQVrrggf35Gxh2I/+KkAijkLlC3X8AAAdpmdEAAvYI0A/TBegHAAA+uag/m+NRQAMAAAAAAVla",
);
const SHA256 = bytesOf(
  "/Td6WFoAAArh+wyhAgEEACEBFgANhjUf4Au3BeJdAHQj2Qoi+aawGgZGIybfipO6i+7WSaMcRfa+zQwvFDL4ndivafPacWvRg4MWAERlVdrU2Vwoneg6mCoUwqWbw3OAM9qWm9gyN9z3rDrPqKnCow5UuHCJRQXLMJ/cB0hQymKnO/2fRzWz4ocQDxmlppv0zlwbqvGXhhgRYmyAhXZC3wcCHp/A8eYEegafeVuUJz1di2kM5kyps4jzi7H50W7uhPlN6BK4nMPxA3c9KeRqX9p8jtLvpFTCCvbic6te5crE6VsU/RzahiIG+3yOeYzj70MOlndLThLeG8o6CJLiVARMtGQZ3hAZ9yUpi0QisUJpgXjnFje7v25si0lhNNCnnTXnZxFvs3k6kM/cOR11Xu0RuylmmSY64JD/k6jBq++F5uPtAaWzmlDtxMHI3U3hrmeC8/ZttWoq/rFMmeVk/tMlLlKUkwfMBB0SO/hUSe4F7Bgi2dujqQd0uWXSYKrlr6sC8Pna+myEAvs18sQwwd1kgyQftyIgK8UicR6lH9YYop+p5veZE8lROG+/bbQia2NLgx+CJPXzMlI/Ap9lkg9rnqQnMmjLP6ncawXvF65IAmfr/9d89Uu1XZgUR49HV3/2YSfsNUPoA/F2g8Z6jRbNX07ph9leMqY0sEncXDTofgIjkIguK31L4v9RPFH82DzZm+1/FXgRgMqFaAmg7N9HnE4q8gQbXoI0Q+hokmbSFOjvr00T0ITQ64B2X8raptkum1wtqTDNjj28827cb0Z4M0g4w7JzwJKvzIS0rjhodvUPNadZDE436LUMb2VMqqM9HQke4hxdYOLkBNscDWeoKJvVBIsZsDKO4PeaY2ihONeqD8YxYQ6lTLngUZLXlMIXw48vYcuySBl/1gySZ/PLex3QK6bkd6EHs0KHzB0XC/An98gO0Rfn6MZb/hsMiVHQn1RtcZ0PqGSxEjy1fsAHRAUMQkZVT092Jf+xMjeCqdvWDcnuxCVlr5J6iTDtquG3iXJKleAi0cDLuyiL2FASM6zT+a5GDcnMR7aBAitib9l3wZ9c10KmCBtEY0GUlpAbcf4gDAKbJIKqHcrdSb/E04Nux6lAbCrb6Ue9ClaCBgHbK9VD7s6Jo9/MHwOLY8+/OVrPYRdp4j3m0uz9N+hQslI6qbPXFTL9FoQ5lWEGO7OQs0XVkUEj+QFYSqjU3ONlu15J/pCWIwmgAjJBkd5idz8IPiJe6Eg6VAY1wNliv9A5Gs+RyivAv1sbr1LbMarQdigKarSvQz8evlI5KLCUK+B8tb86UygR2cioAx+wbNQ5vzhqDLEYYIF5fjQXjrxJytwY/lJ8jAh6G+y/8+0XwcvmyKj1td1LBPoDeA1rOAEMwAURjLkBh69bOx3W+l2/xq9YyJWjhVVGClJ4e6DfADZxh6mTzkL6tzhRaUQLvib+3Jd41KNS7EklPFTlLBzqWLeF/1BdjELkQ6mB+XaDnDpkzjFk1+oILE4Yd4pXzVm4Ri6eVYipcpZsIITz4VkL++gO7c6oDq9BnbTnQLLLJbaqRxgtMlOXMmDil24VmYzsQwKxcQvpZdhFxwmPQ/KfePRcqNdH/3vY0bx5qx5WZwNjFA6KZjXRT8adSOWO09TV/pb0xUUKfvARV4rVdwAeFvGLpHnViaSCVzVcsPaiW5QaZllnTFWYgGn3ymkcGhMwDeLPbX0uNsj4cPZFHQ2ntHwy74pFbEfcJukAgj+U6yJBfAfXGK6Wsnox/0y4JATclMjglcnMqunM1yuAuSMNW++AgN3+ynKrix7XnI+1PaNJ9RXL71c7b2JjeiSjOTip3NfZnyCU62V1tZSwoi6Ib7924tEJbbjdmwSJ0GVIHyhnt75mDLmNi1oEbR1tChcusuQHX/ZyiBgm8UopttyRemJ14F7FIZwq/827MFwyu0yVWiJrNxkG4j9K/1vHemJH59KdfCVC0UhnrHmd4VG9vhfRJ4EH6SLMu00cWXRpT/90PNVXiS14H1J8zcw8WLy69HXJFuKRHacPtKoDDAAAAOqOQEDeyVEnx99as65IO/1o+aAHnsqrcF63iEgqYPL5AAGWDLgXAAACHzUMtunfHAIAAAAAClla",
);

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

it("code that was filtered for x86 comes out as it was", async () => {
  expect(await decompressXz(ONE_BLOCK, CODE.length)).toEqual(CODE);
  expect(await decompressXz(SHA256, CODE.length)).toEqual(CODE);
});

it("it never gives more than the limit", async () => {
  await expect(decompressXz(ONE_BLOCK, CODE.length - 1)).rejects.toThrow("more than 2999 bytes");
});

it("a wrong checksum is found", async () => {
  const { crc } = withoutX86Filter(ONE_BLOCK)!;
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc!);
  const bytes = ONE_BLOCK.slice();
  bytes[Buffer.from(bytes).indexOf(sum)]! ^= 1;
  await expect(decompressXz(bytes, CODE.length)).rejects.toThrow("its checksum is wrong");
});

it("filtered code in several blocks is refused", async () => {
  await expect(decompressXz(TWO_BLOCKS, CODE.length)).rejects.toThrow("expected one block, found 2");
});

it("a near call's distance, made an address, is a distance again", () => {
  // call at 16 with distance 0x100: the filter stored 0x100 + 16 + 5
  const code = new Uint8Array(32);
  code.set([0xe8, 0x15, 0x01, 0x00, 0x00], 16);
  restoreX86Branches(code);
  expect([...code.subarray(16, 21)]).toEqual([0xe8, 0x00, 0x01, 0x00, 0x00]);
});

it("a damaged file is decompressed or refused, and ends", async () => {
  const change = fc.tuple(fc.nat({ max: ONE_BLOCK.length - 1 }), fc.nat({ max: 255 }));
  const property = async (changes: [number, number][], cut: number): Promise<void> => {
    const bytes = ONE_BLOCK.slice(0, cut < 24 ? ONE_BLOCK.length : cut);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    try {
      expect((await decompressXz(bytes, 4000)).length).toBeLessThanOrEqual(4000);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    try {
      withoutX86Filter(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
    }
  };
  const changes = fc.array(change, { maxLength: 4 });
  await fc.assert(fc.asyncProperty(changes, fc.nat({ max: ONE_BLOCK.length }), property), { numRuns: 200 });
});

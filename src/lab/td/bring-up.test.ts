import { expect, it } from "vitest";
import { MIB } from "../../units.ts";
import { neverEntered } from "./bring-up.ts";

const KERNEL = { release: "6.12.1", preferred: 16 * MIB, initSize: 57.5 * MIB };

it("memory that does not hold the kernel is told of, and how much does", () => {
  expect(neverEntered(KERNEL, 64 * MIB)).toBe(
    "the guest's 64 MiB of memory are too little: kernel 6.12.1 takes 74 MiB to decompress itself, and its initramfs comes on top; give it 128 MiB or more",
  );
});

it("where the memory suffices nobody is sure", () => {
  expect(neverEntered(KERNEL, 256 * MIB)).toMatch(/^QEMU ended before kernel 6\.12\.1 was entered: /);
});

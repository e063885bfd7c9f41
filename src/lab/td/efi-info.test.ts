import { expect, it } from "vitest";
import { BOOT_PARAMS } from "../../abi/boot-params/boot-params.ts";
import { copyEfiInfo } from "./hand-over.ts";

it("another kernel is led to firmware's tables, and its other boot parameters stay", () => {
  const from = Uint8Array.from({ length: BOOT_PARAMS.size }, (_, i) => (i % 95) + 32);
  const to = new Uint8Array(BOOT_PARAMS.size).fill(0x55);
  copyEfiInfo(from, to);
  // struct efi_info is boot_params[0x1c0, 0x1e0).
  expect([...to]).toEqual([...to].map((_, i) => (i >= 0x1c0 && i < 0x1e0 ? from[i] : 0x55)));
});

import { expect, it } from "vitest";
import { tinyKernel } from "../kernel-image/testing/tiny-kernel.ts";
import { LabError } from "../lab-error.ts";
import { tdcallsOf } from "./read-guest-kernel.ts";

const TDCALL = [0x66, 0x0f, 0x01, 0xcc];

it("a kernel without TDX is refused in one line that names what it lacks and what to do", () => {
  const read = () => tdcallsOf(tinyKernel({ efi_enter_virtual_mode: 0x100 }));
  expect(read).toThrow(LabError);
  expect(read).toThrow(
    /^Linux 6\.12\.0-tiny cannot run as a TDX guest with unaccepted memory: it has no tdx_early_init \(CONFIG_INTEL_TDX_GUEST, Linux 5\.19 or newer\); no [^\n]+; give a kernel of Linux 6\.7 or later that has it$/,
  );
});

it("a kernel that makes a TDCALL where no such function is is refused, and the line names the place", () => {
  expect(() => tdcallsOf(tinyKernel({ other: 0x100 }, { 272: TDCALL }))).toThrow(
    /found one in other\+0x10; give a kernel/,
  );
});

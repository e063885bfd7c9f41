import { expect, it } from "vitest";
import { judgeKernel } from "./judge.ts";
import { tinyKernel } from "./testing/tiny-kernel.ts";

const TDCALL = { 288: [0x66, 0x0f, 0x01, 0xcc] };
const ENOUGH = {
  tdx_early_init: 0x10,
  accept_memory: 0x20,
  range_contains_unaccepted_memory: 0x30,
  tdx_accept_memory: 0x40,
  efi_enter_virtual_mode: 0x50,
};

it("a kernel with the symbols and a TDCALL can run as a TDX guest with unaccepted memory", () => {
  const { ok, missing, line, without } = judgeKernel(tinyKernel(ENOUGH, TDCALL));
  expect({ ok, missing }).toEqual({ ok: true, missing: [] });
  expect(line).toBe("Linux 6.12.0-tiny can run as a TDX guest with unaccepted memory");
  expect(without.get("kexec")).toEqual([
    { symbols: ["machine_kexec"], option: "CONFIG_KEXEC_CORE", since: "2.6" },
  ]);
});

it("what is missing is named with its option in one line", () => {
  const { accept_memory: _, tdx_accept_memory: __, ...rest } = ENOUGH;
  expect(judgeKernel(tinyKernel(rest, TDCALL)).line).toBe(
    "Linux 6.12.0-tiny cannot run as a TDX guest with unaccepted memory: " +
      "it has no accept_memory, tdx_accept_memory (CONFIG_UNACCEPTED_MEMORY, Linux 6.5 or newer)",
  );
});

it("a kernel without any TDCALL cannot", () => {
  const { ok, line } = judgeKernel(tinyKernel(ENOUGH));
  expect(ok).toBe(false);
  expect(line).toContain("it has no TDCALL instruction (CONFIG_INTEL_TDX_GUEST, Linux 5.19 or newer)");
});

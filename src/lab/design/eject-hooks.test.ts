import { expect, it } from "vitest";
import { none } from "../../designs/none.ts";
import { tide } from "../../designs/tide/tide.ts";
import { HookChain } from "../faults/hook-chain.ts";
import { LabError } from "../lab-error.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { EjectHooks } from "./eject-hooks.ts";

const EJECT = 0x1000n;
const TELL = 0x2000n;
const CALLER = 0x3000n;
const STACK = 0x9000n;
const HANDLE = 7n;
const SPAN = { start: 0x1_0000_0000, end: 0x1_1000_0000 };
const BUSY = 0x82n;
const EJECT_REQUEST = 3n;

const addressOf = (name: string): bigint | undefined =>
  new Map([
    ["acpi_evaluate_ej0", EJECT],
    ["acpi_evaluate_ost", TELL],
  ]).get(name);

interface Case {
  /** What a design that holds the DIMM answers when it tries again; left out: it holds nothing. */
  readonly again?: number;
  readonly isHeld?: boolean;
}

/** A kernel that is about to eject slot 2. */
const aboutToEject = async ({ again, isHeld = false }: Case) => {
  const cpu = new CpuForTest();
  cpu.words.set(STACK, CALLER);
  const said: string[] = [];
  const hooks = new EjectHooks({
    control: new HookChain(cpu),
    host: {
      design: tide,
      holds: () => again !== undefined,
      run: (_hook, vcpu, start = 0, size = 0) => {
        said.push(`again ${vcpu} ${start.toString(16)} ${size.toString(16)}`);
        return again!;
      },
    },
    spanOf: (slot) => (slot === 2 ? SPAN : undefined),
    isHeld: () => isHeld,
    onHeld: ({ start }) => void said.push(`held ${start.toString(16)}`),
    slotOf: async (_cpu, handle) => (handle === HANDLE ? 2 : -1),
    afterHook: async () => {},
  });
  await hooks.installGuard(addressOf);
  await hooks.installVmm(addressOf);
  return {
    said,
    eject: (rdi = HANDLE) => cpu.at(EJECT, { rdi, rsp: STACK }),
    tell: (rsi: bigint, rdi = HANDLE) => cpu.at(TELL, { rdi, rsi, rdx: 1n, rsp: STACK }),
  };
};

const BACK = { rip: CALLER, rsp: STACK + 8n };

it("an eject that nobody minds goes to QEMU, and so does what is no DIMM's", async () => {
  const { eject, said } = await aboutToEject({});
  expect(await eject()).toEqual({});
  const held = await aboutToEject({ again: -16, isHeld: true });
  expect(await held.eject(8n)).toEqual({});
  expect([...said, ...held.said]).toEqual([]);
});

it("a design that cannot give its DIMM back keeps it, and the kernel tells once that it is busy", async () => {
  const { eject, tell, said } = await aboutToEject({ again: -16, isHeld: true });
  expect(await eject()).toEqual({ ...BACK, rax: 1n });
  expect(said).toEqual(["again 0 100000000 10000000"]);
  expect(await tell(1n)).toEqual({});
  expect(await tell(EJECT_REQUEST, 8n)).toEqual({});
  expect(await tell(EJECT_REQUEST)).toEqual({ rdx: BUSY });
  expect(await tell(EJECT_REQUEST)).toEqual({});
});

it("a design that gives its DIMM back when it tries again lets it go", async () => {
  const { eject, tell } = await aboutToEject({ again: 0 });
  expect(await eject()).toEqual({});
  expect(await tell(EJECT_REQUEST)).toEqual({});
});

it("a VMM that may not take what the guest has not released leaves the DIMM there, as if the method had done nothing", async () => {
  const { eject, tell, said } = await aboutToEject({ isHeld: true });
  expect(await eject()).toEqual({ ...BACK, rax: 0n });
  expect(said).toEqual(["held 100000000"]);
  expect(await tell(EJECT_REQUEST)).toEqual({});
});

it("a kernel that lacks a function is refused if the design needs it, and otherwise ejects nothing", async () => {
  const parts = (design: typeof tide) => ({
    ...{ control: new HookChain(new CpuForTest()), host: { design, holds: () => false, run: () => 0 } },
    ...{
      spanOf: () => SPAN,
      isHeld: () => false,
      onHeld: () => {},
      slotOf: async () => 2,
      afterHook: async () => {},
    },
  });
  const refused = new EjectHooks(parts(tide)).installGuard(() => undefined);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow("design tide: expected a function acpi_evaluate_ej0 in the kernel");
  const hooks = new EjectHooks(parts(none));
  await hooks.installGuard(() => undefined);
  await hooks.installVmm(() => undefined);
});

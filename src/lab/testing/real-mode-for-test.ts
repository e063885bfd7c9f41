import type { GdbClient } from "../wire/gdb-client.ts";

/** Where a test's code lies. */
export const CODE = 0x1000;

/** Registers for 16-bit code at CODE, all segments at 0. */
export const AT_CODE = { cs: 0n, ds: 0n, es: 0n, rip: BigInt(CODE) };

export const code = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);

/** Puts code at CODE and sets the selected vCPU to it. */
export const loadCode = async (gdb: GdbClient, ...bytes: readonly number[]): Promise<void> => {
  await gdb.writePhysical(CODE, code(...bytes));
  await gdb.writeRegisters(AT_CODE);
};

import { expect, it } from "vitest";
import { newRegs, R8, RAX, RCX, RDX, setNumber } from "../abi/tdx/regs.ts";
import { GIB } from "../units.ts";
import { addTables, createTd, framesFrom, tdrOf } from "./create-td.ts";
import { TdxModule } from "./module.ts";
import { seamcall } from "./seamcall.ts";
import { tdcall } from "./tdcall.ts";

it("a TD built through SEAMCALLs accepts the page that the host adds", () => {
  const m = new TdxModule({ tdmrs: [{ base: GIB, size: GIB }] });
  const take = framesFrom(GIB / 4096);
  const td = createTd(m, { takeFrame: take });
  addTables(m, td, 0x20_0000, 0, take);
  const host = newRegs();
  setNumber(host, RAX, 6);
  setNumber(host, RCX, 0x20_0000);
  setNumber(host, RDX, tdrOf(td));
  setNumber(host, R8, take() * 4096);
  expect(seamcall(m, host)).toBe(0);
  const guest = newRegs();
  setNumber(guest, RAX, 6);
  setNumber(guest, RCX, 0x20_0000);
  expect(tdcall(m, td, 0, guest)).toBe(0);
});

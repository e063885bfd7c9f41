import { expect, it } from "vitest";
import { hfn } from "../../units.ts";
import { HPA_LIST_INFO, hpaListInfo } from "./hpa-list-info.ts";

it("packs a full list page, and a list of one", () => {
  expect(hpaListInfo(hfn(0x12345), 512)).toBe(0xff80_0000_1234_5000n);
  expect(hpaListInfo(hfn(0x12345), 1)).toBe(0x1234_5000n);
});
it("keeps bits 2:0 and 54:52 reserved", () => {
  expect(HPA_LIST_INFO.reserved).toBe(0x0070_0000_0000_0007n);
});
it("refuses an empty list and one that is too long", () => {
  expect(() => hpaListInfo(hfn(1), 0)).toThrow("1 to 512 entries");
  expect(() => hpaListInfo(hfn(1), 513)).toThrow("1 to 512 entries");
});

import { expect, it } from "vitest";
import { loadScenario } from "../../scenario/load.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { MIB } from "../../units.ts";
import { PageRights } from "../enforce/page-rights.ts";
import { TdEnded, TrustDomain } from "./trust-domain.ts";

const tdWith = (vmm: string): TrustDomain =>
  new TrustDomain(
    machineConfigOf(
      loadScenario(`{name: td, title: td, machine: {memory: 1G}, vmm: ${vmm}, steps: [boot]}`, {
        file: "td.yaml",
        designs: ["none"],
        readBytes: () => new Uint8Array(),
      }),
    ),
  );

it.each(["{}", "{augSize: 4K}", "{aug: ahead}", "{augSize: 4K, aug: ahead}"])(
  "firmware accepts all that it is to accept, whatever pages the VMM adds: %s",
  (vmm) => {
    const td = tdWith(vmm);
    td.acceptForFirmware(4 * MIB - 8192, 8 * MIB + 4096);
    const rights = new PageRights(td);
    const touchable: number[] = [];
    for (let page = 4 * MIB - 12_288; page < 8 * MIB + 12_288; page += 4096)
      if (rights.mayTouch(page)) touchable.push(page);
    expect([touchable[0], touchable.at(-1), touchable.length]).toEqual([4 * MIB - 8192, 8 * MIB, 1027]);
  },
);

it("firmware that accepts memory twice is told so by the status's name", () => {
  const td = tdWith("{}");
  td.acceptForFirmware(0, 2 * MIB);
  expect(() => td.acceptForFirmware(0, 2 * MIB)).toThrow(TdEnded);
  expect(() => td.acceptForFirmware(0, 2 * MIB)).toThrow("the page at 0x0: PAGE_ALREADY_ACCEPTED(level 1)");
});

it("accepted memory has to be released before the VMM takes it, if the TD can do that", () => {
  const td = tdWith("{}");
  td.acceptForFirmware(4 * MIB, 4 * MIB + 4096);
  const rights = new PageRights(td);
  expect(rights.mustBeReleased(2 * MIB, 8 * MIB)).toBe(true);
  expect(rights.mustBeReleased(6 * MIB, 8 * MIB)).toBe(false);
  const other = tdWith("{pageRelease: false}");
  other.acceptForFirmware(4 * MIB, 6 * MIB);
  expect(new PageRights(other).mustBeReleased(2 * MIB, 8 * MIB)).toBe(false);
});

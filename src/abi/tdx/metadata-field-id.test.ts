import fc from "fast-check";
import { expect, it } from "vitest";
import {
  FieldTable,
  isNullFieldId,
  isSingleElementId,
  MD_FIELD_ID,
  NO_FIELD_ID,
} from "./metadata-field-id.ts";
import { SYS_FIELDS } from "./sys-fields.ts";
import { TD_FIELDS } from "./td-fields.ts";

const td = new FieldTable(TD_FIELDS);
const sys = new FieldTable(SYS_FIELDS);

it("splits an identifier into its fields", () => {
  expect(MD_FIELD_ID.decode(0x9110_0003_0000_0010n)).toEqual({
    fieldCode: 0x10n,
    elementSize: 3n,
    lastElement: 0n,
    lastField: 0n,
    increment: 0n,
    writeMaskValid: 0n,
    context: 1n,
    classCode: 0x11n,
    nonArchitectural: 1n,
  });
});
it("looks at class and field code only, so Linux's identifiers name the same fields", () => {
  expect(td.find(0x9100_0000_0000_0010n)?.name).toBe("NOTIFY_ENABLES");
  expect(td.find(0x9110_0003_0000_0010n)?.name).toBe("NOTIFY_ENABLES");
  expect(td.find(0x1110_0003_0000_0016n)?.name).toBe("CONFIG_FLAGS");
  expect(td.find(0x1110_0003_0000_0017n)?.name).toBe("TD_CTLS");
  expect(td.find(0x9100_0000_0000_0019n)?.name).toBe("TOPOLOGY_ENUM_CONFIGURED");
  expect(sys.find(0x0a00_0003_0000_0008n)?.name).toBe("TDX_FEATURES0");
});
it("tells the elements of a field apart", () => {
  expect(td.find(0x1310_0003_0000_0046n)).toMatchObject({ name: "RTMR", element: 6, bits: 64 });
  expect(td.find(0x1310_0003_0000_0057n)).toMatchObject({ name: "RTMR", element: 23 });
  expect(td.find(0x1310_0003_0000_0058n)).toBeUndefined();
});
it("cuts masks to the width of the field", () => {
  expect(td.find(0x1110_0002_0000_0002n)).toMatchObject({ name: "MAX_VCPUS", bits: 32, read: 0xffff_ffffn });
  expect(td.find(0x9110_0003_0000_0017n)).toMatchObject({ write: 0x8000_0000_0000_000fn });
});
it("goes through the guest's fields in order, each element once, to the end", () => {
  const seen: string[] = [];
  let id = td.nextReadable(undefined);
  while (id !== NO_FIELD_ID) {
    const element = td.find(id);
    expect(element?.id).toBe(id);
    expect(element?.read).not.toBe(0n);
    seen.push(`${element?.name}.${element?.element}`);
    id = td.nextReadable(id);
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.slice(0, 6)).toEqual([
    "TD_UUID.0",
    "TD_UUID.1",
    "TD_UUID.2",
    "TD_UUID.3",
    "NUM_VCPUS.0",
    "NUM_L2_VMS.0",
  ]);
  expect(seen.at(-1)).toBe("SERVTD_BINDINGS_TABLE.15");
  expect(seen.length).toBe(4 + 2 + 5 + 6 + 24 + 24 + 4 + 6 + 1 + 16);
});
it("knows the null identifier whatever its context says", () => {
  expect(isNullFieldId(NO_FIELD_ID)).toBe(true);
  expect(isNullFieldId(0xff9f_ffff_ffff_ffffn)).toBe(true);
  expect(isNullFieldId(0x7fff_ffff_ffff_ffffn)).toBe(false);
});
it("refuses reserved, last-element and last-field bits for a single element", () => {
  expect(isSingleElementId(0x9110_0003_0000_0010n)).toBe(true);
  for (const bit of [24n, 31n, 34n, 37n, 38n, 46n, 47n, 49n, 55n, 62n]) {
    expect(isSingleElementId(0x9110_0003_0000_0010n | (1n << bit))).toBe(false);
  }
});
it("finds something or nothing for every identifier, and never fails", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (id) => {
      for (const table of [td, sys]) {
        const element = table.find(id);
        if (element !== undefined) expect(element.element).toBeGreaterThanOrEqual(0);
        expect(typeof table.nextReadable(id)).toBe("bigint");
      }
    }),
  );
});

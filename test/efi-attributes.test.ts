import { expect, it } from "vitest";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { EFI_ATTRIBUTES } from "../src/scenario/schema/efi-attributes.ts";
import { load } from "./model-machine.ts";

it.each(EFI_ATTRIBUTES.map((name, index) => [name, index] as const))(
  "attribute %s of a descriptor is one bit of its own",
  (name) => {
    const config = machineConfigOf(
      load(`
name: attributes
machine:
  memory: 4G
  firmware:
    efiMemoryMap: [{type: Unaccepted, at: 5G, size: 2M, attributes: [${name}]}]
steps: [boot]
`),
    );
    const { attribute } = config.efiMemoryMap[0]!;
    expect([attribute > 0n, attribute & (attribute - 1n)]).toEqual([true, 0n]);
  },
);

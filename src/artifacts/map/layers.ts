import type { Range } from "../facts.ts";
import { difference, intersection, union } from "./ranges.ts";
import { isEfiRam, isUnaccepted, type Survey } from "./survey.ts";

/** What one source says of the address space: one bar of the map. */
export interface Layer {
  readonly name: string;
  /** What it tells of, which decides where it is drawn and how. */
  readonly tells: "ram" | "aside" | "promise" | "state";
  readonly ranges: readonly Range[];
}

/** A stretch of addresses that is drawn together. */
export interface Stretch extends Range {
  readonly name: string;
}

const layer = (name: string, tells: Layer["tells"], ranges: readonly Range[]): Layer => ({
  name,
  tells,
  ranges: union(ranges),
});

const firmwareLayers = ({ of }: Survey): Layer[] => {
  const e820 = of("e820");
  const efi = of("efi").filter(({ map }) => map === "boot");
  return [
    layer(
      "e820 RAM",
      "ram",
      e820.filter(({ type }) => type === "RAM"),
    ),
    layer(
      "e820 other",
      "aside",
      e820.filter(({ type }) => type !== "RAM"),
    ),
    layer("EFI RAM", "ram", efi.filter(isEfiRam)),
    layer("EFI unacc.", "state", efi.filter(isUnaccepted)),
  ];
};

const sratLayers = ({ of }: Survey): Layer[] => {
  const enabled = of("srat-memory").filter((fact) => fact.enabled);
  const fixed = enabled.filter(({ hotplug }) => !hotplug);
  const domains = [...new Set(fixed.map(({ proximity }) => proximity))].sort((a, b) => a - b);
  const most = 16;
  const nodes =
    domains.length > most
      ? [layer("SRAT", "ram", fixed)]
      : domains.map((domain) =>
          layer(
            `SRAT PXM ${domain}`,
            "ram",
            fixed.filter(({ proximity }) => proximity === domain),
          ),
        );
  const hotplug = enabled.filter((fact) => fact.hotplug);
  return [...nodes, layer("SRAT hotpl.", "promise", hotplug)];
};

const guestLayers = ({ of, blocks, devices }: Survey): Layer[] => {
  const table = of("unaccepted-table").at(-1);
  const added = of("iomem").filter(({ name }) => /^System RAM \(/.test(name));
  const online = blocks.filter(({ state }) => state === "online");
  const offline = blocks.filter(({ state }) => state !== undefined && state !== "online");
  const plugged = devices.filter(({ type, size }) => type === "dimm" && size > 0);
  return [
    layer("table", "promise", table === undefined ? [] : [table]),
    layer("unaccepted", "state", table?.unaccepted ?? []),
    layer("plugged bits", "state", table?.plugged ?? []),
    layer(
      "device",
      "promise",
      devices.map(({ range }) => range),
    ),
    layer(
      "DIMM",
      "state",
      plugged.map(({ range }) => range),
    ),
    layer(
      "iomem RAM",
      "ram",
      of("iomem").filter(({ name }) => name === "System RAM"),
    ),
    layer("iomem added", "state", added),
    layer("online", "state", online),
    layer("offline", "state", offline),
    layer(
      "lsmem",
      "state",
      of("lsmem").filter(({ state }) => state === undefined || state === "online"),
    ),
  ];
};

const hostLayers = ({ of }: Survey): Layer[] => [
  layer("CMR", "ram", of("cmr")),
  layer("RMP table", "aside", of("rmp")),
  layer("CXL window", "promise", [
    ...of("cxl-window"),
    ...of("cxl-region"),
    ...of("iomem").filter(({ name }) => /^CXL Window/.test(name)),
  ]),
];

/** The layers that say anything, in the order memory passes through them: firmware, host, guest. */
export const layersOf = (survey: Survey): Layer[] =>
  [...firmwareLayers(survey), ...sratLayers(survey), ...hostLayers(survey), ...guestLayers(survey)].filter(
    ({ ranges }) => ranges.length > 0,
  );

const FOUR_GIB = 2 ** 32;

/** Stretches closer than this are drawn as one. */
const CLOSE = 2 ** 30;

const close = (ranges: readonly Range[]): Range[] => {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of union(ranges)) {
    const last = joined.at(-1);
    if (last !== undefined && start - last.end < CLOSE) last.end = end;
    else joined.push({ start, end });
  }
  return joined;
};

/**
 * Cuts the address space into what is looked at together: what is below 4 GiB, the RAM above, and what may come to it.
 * Holes between them are left out.
 */
export const stretchesOf = (layers: readonly Layer[]): Stretch[] => {
  const of = (...tells: readonly Layer["tells"][]): Range[] =>
    union(layers.filter((one) => tells.includes(one.tells)).flatMap(({ ranges }) => ranges));
  const ram = of("ram");
  const all = of("ram", "promise", "state");
  const high = [{ start: FOUR_GIB, end: Number.MAX_SAFE_INTEGER }];
  const low = intersection(all, [{ start: 0, end: FOUR_GIB }]);
  const above = close(intersection(ram, high));
  const rest = close(difference(intersection(all, high), above));
  const named = (name: string, ranges: readonly Range[]): Stretch[] =>
    ranges.map(({ start, end }) => ({ name, start, end }));
  const below = low.length === 0 ? [] : [{ start: low[0]!.start, end: low.at(-1)!.end }];
  return [...named("below 4 GiB", below), ...named("RAM", above), ...named("room for more", rest)].sort(
    (a, b) => a.start - b.start,
  );
};

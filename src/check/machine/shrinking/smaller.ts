import type { Deed, MachineConfiguration, Program } from "../configurations/configuration.ts";

const without = <T>(all: readonly T[], place: number): readonly T[] => all.toSpliced(place, 1);

/** A vCPU less, and what its user did. */
const fewerVcpus = (configuration: MachineConfiguration): MachineConfiguration[] => {
  const { vcpus, programs } = configuration;
  if (vcpus === 1) return [];
  const last = vcpus - 1;
  const isThere = ({ by }: Program): boolean => by === "operator" || by.user < last;
  return [{ ...configuration, vcpus: last, programs: programs.filter(isThere) }];
};

const fewerPrograms = (configuration: MachineConfiguration): MachineConfiguration[] =>
  configuration.programs.map((_, place) => ({
    ...configuration,
    programs: without(configuration.programs, place),
  }));

const fewerDeeds = (configuration: MachineConfiguration): MachineConfiguration[] =>
  configuration.programs.flatMap((program, place) =>
    program.deeds.length === 1
      ? []
      : program.deeds.map((_, deed) => ({
          ...configuration,
          programs: configuration.programs.with(place, { ...program, deeds: without(program.deeds, deed) }),
        })),
  );

/** Half as much of what a deed does; undefined if it is the least. */
const smallerDeed = (deed: Deed): Deed | undefined => {
  if (deed.do === "resize" && deed.to > 1) return { ...deed, to: deed.to >> 1 };
  if (deed.do === "allocate" && deed.units > 1) return { ...deed, units: deed.units >> 1 };
  return undefined;
};

const fewerBefore = (configuration: MachineConfiguration): MachineConfiguration[] =>
  configuration.before.map((_, place) => ({
    ...configuration,
    before: without(configuration.before, place),
  }));

const smallerDeeds = (configuration: MachineConfiguration): MachineConfiguration[] =>
  configuration.programs.flatMap((program, place) =>
    program.deeds.flatMap((deed, at) => {
      const smaller = smallerDeed(deed);
      if (smaller === undefined) return [];
      const deeds = program.deeds.with(at, smaller);
      return [{ ...configuration, programs: configuration.programs.with(place, { ...program, deeds }) }];
    }),
  );

/** Deeds that speak of memory which is not there any more. */
const fits = (deed: Deed, staticUnits: number, units: number, blockUnits: number): boolean => {
  if (deed.do === "resize") return deed.to <= units;
  if (deed.do === "read") return deed.across < staticUnits + units;
  if (deed.do === "online" || deed.do === "offline") return deed.block < units / blockUnits;
  return true;
};

const ofSize = (
  configuration: MachineConfiguration,
  staticUnits: number,
  units: number,
): MachineConfiguration[] => {
  const { before, programs, device, blockUnits } = configuration;
  if (staticUnits < blockUnits || units < blockUnits) return [];
  const all = [...before, ...programs.flatMap(({ deeds }) => deeds)];
  if (!all.every((deed) => fits(deed, staticUnits, units, blockUnits))) return [];
  return [{ ...configuration, staticUnits, device: { ...device, units } }];
};

/** A smaller DIMM beside the device, and none where nobody plugs it. */
const smallerDimm = (configuration: MachineConfiguration): MachineConfiguration[] => {
  const { dimmUnits = 0, blockUnits, before, programs, ...rest } = configuration;
  if (dimmUnits === 0) return [];
  const deeds = [...before, ...programs.flatMap((program) => program.deeds)];
  const isNeeded = deeds.some((deed) => deed.do === "plug" || deed.do === "unplug");
  const machine = { ...rest, blockUnits, before, programs };
  if (!isNeeded) return [machine];
  return dimmUnits > blockUnits ? [{ ...machine, dimmUnits: dimmUnits - blockUnits }] : [];
};

/** A slot less, and its DIMM, where nobody speaks of it. */
const fewerSlots = (configuration: MachineConfiguration): MachineConfiguration[] => {
  const { slots = 1, before, programs } = configuration;
  const deeds = [...before, ...programs.flatMap((program) => program.deeds)];
  const last = slots - 1;
  const isNeeded = deeds.some((deed) => "slot" in deed && deed.slot === last);
  return slots === 1 || isNeeded ? [] : [{ ...configuration, slots: last }];
};

const fewerUnits = (configuration: MachineConfiguration): MachineConfiguration[] => {
  const { staticUnits, device, blockUnits } = configuration;
  const half = (units: number): number => Math.floor(units / blockUnits / 2) * blockUnits;
  return [
    ...ofSize(configuration, staticUnits, half(device.units)),
    ...ofSize(configuration, staticUnits, device.units - blockUnits),
    ...ofSize(configuration, half(staticUnits), device.units),
    ...ofSize(configuration, staticUnits - blockUnits, device.units),
    ...smallerDimm(configuration),
    ...fewerSlots(configuration),
  ];
};

/** What every feature is on the plainest machine. */
const PLAIN = {
  fault: null,
  memmapOnMemory: false,
  accept: "lazy",
  aug: "fault",
  discard: "both",
  pageRelease: true,
  platform: undefined,
  bigBlocks: undefined,
  zone: undefined,
  placement: undefined,
} as const satisfies Partial<MachineConfiguration>;

const plainer = (configuration: MachineConfiguration): MachineConfiguration[] =>
  Object.entries(PLAIN)
    .map(([name, value]) => ({ ...configuration, [name]: value }))
    .filter((other) => JSON.stringify(other) !== JSON.stringify(configuration));

/** Somebody does something, and nobody speaks of memory that nobody allocates. */
const makesSense = ({ before, programs }: MachineConfiguration): boolean => {
  const deeds = [...before, ...programs.flatMap((program) => program.deeds)];
  const names = new Set(deeds.flatMap((deed) => (deed.do === "allocate" ? [deed.as] : [])));
  return programs.length > 0 && deeds.every((deed) => !("as" in deed) || names.has(deed.as));
};

const SMALLER = ", smaller";

/** Machines that are next smaller than this one: units, then vCPUs, then the fault and other features, then what people do. */
export const smallerConfigurations = (
  configuration: MachineConfiguration,
): readonly MachineConfiguration[] => {
  const name = configuration.name.endsWith(SMALLER) ? configuration.name : configuration.name + SMALLER;
  return [
    ...fewerUnits(configuration),
    ...fewerVcpus(configuration),
    ...plainer(configuration),
    ...fewerPrograms(configuration),
    ...fewerBefore(configuration),
    ...fewerDeeds(configuration),
    ...smallerDeeds(configuration),
  ]
    .filter(makesSense)
    .map((smaller) => ({ ...smaller, name }));
};

/**
 * _OST: how a guest tells the platform what became of an event.
 *
 * @source ACPI 6.5, 6.3.5; Linux include/linux/acpi.h
 */
export const OST_EVENT = {
  BUS_CHECK: 0x0,
  DEVICE_CHECK: 0x1,
  EJECT_REQUEST: 0x3,
  OSPM_SHUTDOWN: 0x100,
  OSPM_EJECT: 0x103,
  OSPM_INSERTION: 0x200,
} as const;
export type OstEvent = keyof typeof OST_EVENT;

/** Status codes with one meaning for every event. */
export const OST_STATUS = { SUCCESS: 0, NON_SPECIFIC_FAILURE: 1, UNRECOGNISED_NOTIFY: 2 } as const;
/** Status codes for EJECT_REQUEST and OSPM_EJECT. */
export const OST_EJECT_STATUS = {
  NOT_SUPPORTED: 0x80,
  DEVICE_IN_USE: 0x81,
  DEVICE_BUSY: 0x82,
  EJECT_DEPENDENCY: 0x83,
  IN_PROGRESS: 0x84,
} as const;
/** Status codes for OSPM_INSERTION; guests use them with DEVICE_CHECK too. */
export const OST_INSERTION_STATUS = {
  IN_PROGRESS: 0x80,
  DRIVER_LOAD_FAILURE: 0x81,
  NOT_SUPPORTED: 0x82,
} as const;

const nameIn = (table: Readonly<Record<string, number>>, code: number): string | undefined =>
  Object.entries(table).find(([, value]) => value === code)?.[0];

/** The name of an event; an event without one keeps its number. */
export const ostEventName = (event: number): string =>
  nameIn(OST_EVENT, event) ?? `event 0x${event.toString(16)}`;

/** The name of a status as the event gives it meaning; a status without one keeps its number. */
export const ostStatusName = (event: number, status: number): string => {
  const eject = event === OST_EVENT.EJECT_REQUEST || event === OST_EVENT.OSPM_EJECT;
  const insertion = event === OST_EVENT.OSPM_INSERTION || event === OST_EVENT.DEVICE_CHECK;
  const special = eject ? OST_EJECT_STATUS : insertion ? OST_INSERTION_STATUS : {};
  return nameIn(OST_STATUS, status) ?? nameIn(special, status) ?? `status 0x${status.toString(16)}`;
};

/**
 * EFI status codes by number. Bit 63 marks an error; these are the codes without it.
 *
 * @source UEFI 2.10, appendix D
 */
export const EFI_STATUS = {
  EFI_SUCCESS: 0,
  EFI_LOAD_ERROR: 1,
  EFI_INVALID_PARAMETER: 2,
  EFI_UNSUPPORTED: 3,
  EFI_BUFFER_TOO_SMALL: 5,
  EFI_OUT_OF_RESOURCES: 9,
  EFI_NOT_FOUND: 14,
} as const;
export type EfiStatus = keyof typeof EFI_STATUS;

const ERROR_BIT = 1n << 63n;

/** The 64-bit word that a boot service returns. */
export const efiStatusWord = (status: EfiStatus): bigint =>
  status === "EFI_SUCCESS" ? 0n : ERROR_BIT | BigInt(EFI_STATUS[status]);

/** The name of a status word; a word without a name prints in hexadecimal. */
export const efiStatusName = (word: bigint): string => {
  const names = Object.keys(EFI_STATUS) as EfiStatus[];
  return names.find((name) => efiStatusWord(name) === word) ?? `EFI status 0x${word.toString(16)}`;
};

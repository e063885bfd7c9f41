/**
 * Numbers under which an SEV-SNP machine counts its calls, beside the leaves of the TDX module: the guest's instructions and requests,
 * the host's instructions. They are ours.
 */
export const SNP_GUEST_CALL = {
  PVALIDATE: 0xf0,
  "PVALIDATE rescind": 0xf1,
  "VMGEXIT page state change": 0xf2,
  "VMGEXIT MSR protocol": 0xf3,
} as const;
export const SNP_HOST_CALL = { RMPUPDATE: 0xf0, PSMASH: 0xf1 } as const;

const nameIn = (table: { readonly [name: string]: number }, code: number): string | undefined =>
  Object.entries(table).find(([, number]) => number === code)?.[0];
/** Names of calls that only SEV-SNP has. */
export const snpGuestCallName = (code: number): string | undefined => nameIn(SNP_GUEST_CALL, code);
export const snpHostCallName = (code: number): string | undefined => nameIn(SNP_HOST_CALL, code);

/**
 * States of a guest's private page on SEV-SNP, by the names that stand for them where both platforms are spoken of: not mapped or not
 * the guest's; assigned and not validated; validated.
 *
 * @source AMD SEV-SNP white paper, page states
 */
export const RMP_STATES = { FREE: "UNMAPPED", PENDING: "GUEST_INVALID", MAPPED: "GUEST_VALID" } as const;
export type RmpState = (typeof RMP_STATES)[keyof typeof RMP_STATES];

const BY_NAME: { readonly [sept: string]: RmpState } = RMP_STATES;

/** The platform's own name of a state; a name that only a secure EPT has stays. */
export const rmpStateName = (sept: string): string => BY_NAME[sept] ?? sept;

/**
 * Error numbers as the kernel returns them: negative. 0 is success.
 *
 * @source Linux include/uapi/asm-generic/errno.h, errno-base.h
 */
export const ERRNO = {
  EPERM: -1,
  EINTR: -4,
  EIO: -5,
  E2BIG: -7,
  EAGAIN: -11,
  ENOMEM: -12,
  EBUSY: -16,
  EEXIST: -17,
  ENODEV: -19,
  EINVAL: -22,
  ETXTBSY: -26,
  ENOSPC: -28,
  EADDRNOTAVAIL: -99,
  EHWPOISON: -133,
} as const;
export type Errno = (typeof ERRNO)[keyof typeof ERRNO];

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, value]) => [value, `-${name}`]));

/** "0", "-EBUSY", or the plain number of a code that is not in the table. */
export const errnoName = (value: number): string => NAMES.get(value) ?? String(value);

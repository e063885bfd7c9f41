/**
 * Error numbers that the host's TDX code returns, as the kernel has them.
 *
 * @source Linux include/uapi/asm-generic/errno-base.h
 */
export const ERRNO = {
  EPERM: -1,
  ENOENT: -2,
  EIO: -5,
  ENOMEM: -12,
  EFAULT: -14,
  EEXIST: -17,
  ENODEV: -19,
  EINVAL: -22,
  ENOSPC: -28,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ERRNO).map(([name, number]) => [number, name]),
);

/** `-EPERM` for -1; a number that is not in the table prints as it is. */
export const errnoText = (errno: number): string => {
  const name = NAMES.get(errno);
  return name === undefined ? String(errno) : `-${name}`;
};

/** What a shell says when a write to a file in /sys fails. @source GNU libc, strerror */
export const SHELL_TEXT: ReadonlyMap<number, string> = new Map([
  [ERRNO.EPERM, "Operation not permitted"],
  [ERRNO.ENOENT, "No such file or directory"],
  [ERRNO.EINVAL, "Invalid argument"],
]);

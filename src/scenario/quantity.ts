const FACTORS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40, P: 2 ** 50 } as const;
type Suffix = keyof typeof FACTORS;

/** Addresses and sizes stay below this, as on the widest machine modelled (52 physical bits). */
export const ADDRESS_LIMIT = 2 ** 52;

/** What a size may look like, for editors. `parseSize` is the rule. */
export const SIZE_PATTERN = "^(0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(\\.[0-9]+)?([KMGTPkmgtp]([iI]?[bB])?)?)$";

const isAmount = (n: number): boolean => Number.isInteger(n) && 0 <= n && n <= ADDRESS_LIMIT;

/**
 * Reads a size or an address: bytes, or a number with K, M, G, T, P (powers of two), or hexadecimal.
 *
 * @returns bytes, 0 to 2^52; undefined if `value` is none of these or no whole number of bytes
 */
export const parseSize = (value: unknown): number | undefined => {
  if (typeof value === "number") return isAmount(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  const text = value.trim().replaceAll("_", "");
  if (/^0x[0-9a-f]{1,14}$/i.test(text)) {
    const address = Number.parseInt(text.slice(2), 16);
    return isAmount(address) ? address : undefined;
  }
  const match = /^(\d{1,16}(?:\.\d{1,12})?)(?:([KMGTP])(?:i?B)?)?$/i.exec(text);
  if (match === null) return undefined;
  const suffix = match[2]?.toUpperCase() as Suffix | undefined;
  const bytes = Number(match[1]) * (suffix === undefined ? 1 : FACTORS[suffix]);
  return isAmount(bytes) ? bytes : undefined;
};

/** True if the text names its unit, so that `512M` is bytes whatever is compared with it. */
export const hasSizeSuffix = (text: string): boolean => /[KMGTP](i?B)?\s*$/i.test(text);

/** Writes bytes in the largest unit that divides them: 4G, 6M, 640K, 4097. */
export const formatSize = (bytes: number): string => {
  if (bytes === 0) return "0";
  for (const suffix of ["P", "T", "G", "M", "K"] as const) {
    if (bytes % FACTORS[suffix] === 0) return `${bytes / FACTORS[suffix]}${suffix}`;
  }
  return String(bytes);
};

/** Writes bytes with three digits at most, for where the exact number stands elsewhere: 1.71G, 384K. */
export const roughSize = (bytes: number): string => {
  if (bytes < FACTORS.K) return String(bytes);
  const suffix = (["P", "T", "G", "M", "K"] as const).find((unit) => bytes >= FACTORS[unit]) ?? "K";
  const amount = bytes / FACTORS[suffix];
  return `${Number(amount >= 1000 ? amount.toFixed(0) : amount.toPrecision(3))}${suffix}`;
};

/** Writes an address as the kernel prints one with %#llx. */
export const formatAddress = (address: number): string => `0x${address.toString(16)}`;

/** Writes a half-open range as the kernel prints ranges: both ends included. */
export const formatRange = (start: number, end: number): string =>
  end <= start ? `${formatAddress(start)} (empty)` : `${formatAddress(start)}-${formatAddress(end - 1)}`;

const NANOSECONDS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 } as const;
type TimeUnit = keyof typeof NANOSECONDS;

/** What a duration may look like, for editors. `parseDuration` is the rule. */
export const DURATION_PATTERN = "^[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h)$";

/** @returns nanoseconds of virtual time, below 2^53; undefined if `value` is no duration */
export const parseDuration = (value: unknown): number | undefined => {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string") return undefined;
  const match = /^(\d{1,16}(?:\.\d{1,9})?)\s*(ns|us|ms|s|m|h)$/.exec(value.trim());
  if (match === null) return undefined;
  const ns = Math.round(Number(match[1]) * NANOSECONDS[match[2] as TimeUnit]);
  return Number.isSafeInteger(ns) ? ns : undefined;
};

/** Writes nanoseconds with three significant decimals at most: 750 ns, 1.5 ms, 50 s. */
export const formatDuration = (ns: number): string => {
  const size = Math.abs(ns);
  const [unit, factor] =
    size < 1e3 ? ["ns", 1] : size < 1e6 ? ["us", 1e3] : size < 1e9 ? ["ms", 1e6] : ["s", 1e9];
  return `${Number((ns / factor).toFixed(3))} ${unit}`;
};

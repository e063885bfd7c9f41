export interface Machine {
  readonly os: string;
  readonly cpu: string;
  readonly libc: string;
}
export interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}
export interface PackageLock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}
export const thisMachine: Machine;
export const difference: (
  wanted: PackageLock,
  present: Partial<PackageLock>,
  machine: Machine,
) => string | undefined;
export const staleness: (root: string, machine?: Machine) => string | undefined;
export const npmReason: (output: string) => string;

export interface LockOwner {
  readonly token: string;
  readonly host: string;
  readonly pids: readonly number[];
}
export const withLock: <T>(
  folder: string,
  onWait: (owner: LockOwner) => void,
  work: (nameProcess: (pid: number) => void) => Promise<T>,
) => Promise<T>;

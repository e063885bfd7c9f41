/**
 * Keeps a rejection that nobody looks at from ending the process: when a connection ends, all that waits on it is
 * rejected at once, and a caller looks at one of them. Who awaits the promise sees the rejection all the same.
 */
export const minded = <T>(promise: Promise<T>): Promise<T> => {
  promise.catch(() => {});
  return promise;
};

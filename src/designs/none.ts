import type { Design } from "../linux/design.ts";

/**
 * What released kernels do: lazy acceptance of boot memory, nothing at all for memory that is added later.
 * Hot-added private memory is never accepted, so its first touch kills the guest.
 *
 * @source Linux 6.12 and 7.3
 */
export const none: Design = {
  name: "none",
  title: "upstream: boot memory is accepted, hot-added memory is not",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: {},
};

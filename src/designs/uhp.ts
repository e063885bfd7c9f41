import type { Design } from "../linux/design.ts";

/**
 * The proposal of a firmware interface: unaccepted descriptors with the attribute UHP declare the hot-plug window. A stub
 * that knows it sizes the table by them and calls the window unaccepted, but no RAM, and need not read the SRAT.
 *
 * The proposal says of the kernel that memory is accepted after it was plugged, and no kernel part has been posted.
 * Inference: the kernel does with the window what it does with boot memory, as under `window`, and has the holes of that.
 *
 * @source EDK2 code-first RFC "Unaccepted Hot-Plug Memory Attribute", 2026-07-15, draft
 * @missing how a kernel would know what of the window is plugged, and giving memory back: the proposal does not say
 */
export const uhp: Design = {
  name: "uhp",
  title: "EFI attribute for the hot-plug window: the table covers it by firmware's word, nothing more",
  tableVersion: 1,
  stubScansSrat: false,
  firmwareMarksWindow: true,
  hooks: {},
};

import type { Design } from "../linux/design.ts";
import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { NotModelled } from "../not-modelled.ts";

const add = KERNEL_PROCEDURES.declare("uhp add_memory", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter"],
});

const notWritten = add.define({
  enter: () => {
    throw new NotModelled("how a kernel that knows EFI_MEMORY_UHP accepts hot-added memory");
  },
});

/**
 * The proposal of a firmware interface: unaccepted descriptors with the attribute UHP declare the hot-plug window, so that
 * the stub need not read the SRAT. No kernel part has been posted; boot memory is handled as upstream does.
 *
 * @source EDK2 code-first RFC "Unaccepted Hot-Plug Memory Attribute", 2026-07-15, draft
 * @missing firmware that emits the descriptors, a stub that sizes the table by them, and everything from add_memory on: the
 *   proposal says no more than that memory is accepted after it was plugged; a run that adds memory stops there
 */
export const uhp: Design = {
  name: "uhp",
  title: "EFI attribute for the hot-plug window: firmware proposal without a kernel part yet",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: { addMemory: notWritten },
};

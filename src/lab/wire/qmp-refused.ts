import type { QmpFailure } from "../../protocol/qmp/messages.ts";
import { shownText } from "../../protocol/qmp/qmp-error.ts";
import { LabError } from "../lab-error.ts";

const LONGEST_DESCRIPTION = 400;

/** QEMU did not do a command. It changed nothing, and the connection lives on. */
export class QmpRefused extends LabError {
  override name = "QmpRefused";
  readonly command: string;
  /** `GenericError`, `CommandNotFound`, `DeviceNotFound`, `DeviceNotActive`, or one that a newer QEMU has. */
  readonly errorClass: string;
  /** QEMU's own words. They differ between releases. */
  readonly description: string;
  constructor(path: string, command: string, failure: QmpFailure) {
    const words = failure.desc.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, LONGEST_DESCRIPTION);
    super(`QMP monitor at ${path}: ${shownText(command)}: QEMU refused it (${failure.class}): ${words}`);
    this.command = command;
    this.errorClass = failure.class;
    this.description = failure.desc;
  }
}

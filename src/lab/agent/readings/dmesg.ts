/** One message of the kernel's log. */
export interface KernelMessage {
  /** 0 (emergency) to 7 (debug); undefined if the line does not say. */
  readonly level: number | undefined;
  /** Seconds since boot, as printed. */
  readonly seconds: number;
  readonly text: string;
}

const LINE = /^(?:<(\d{1,4})>)?\[ *(\d{1,10}\.\d{1,6})\] ?(.*)$/;

/** Reads `dmesg -r`, or the console's log. A line without a time continues the message before it. */
export const parseDmesg = (text: string): KernelMessage[] => {
  const messages: KernelMessage[] = [];
  for (const line of text.replace(/\r/g, "").split("\n")) {
    const match = LINE.exec(line);
    const last = messages.at(-1);
    if (match !== null) {
      const [, priority, seconds, words = ""] = match;
      const level = priority === undefined ? undefined : Number(priority) & 7;
      messages.push({ level, seconds: Number(seconds), text: words });
    } else if (last !== undefined && line !== "") {
      messages[messages.length - 1] = { ...last, text: `${last.text}\n${line}` };
    }
  }
  return messages;
};

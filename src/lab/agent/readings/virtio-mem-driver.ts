/** The virtio-mem driver of a running kernel. What a device has plugged is in /proc/iomem; sysfs does not say. */
export interface VirtioMemDriver {
  /** Devices it drives, such as "virtio0"; /proc/iomem has their regions under these names. */
  readonly devices: readonly string[];
  /** Its parameters, such as unplug_online and bbm_block_size, as printed. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads the names of devices and lines `PARAMETER:VALUE`; undefined if there are no parameters, hence no driver. */
export const parseVirtioMemDriver = (text: string): VirtioMemDriver | undefined => {
  const parameters = new Map([...text.matchAll(/^(\w+):(.*)$/gm)].map((match) => [match[1]!, match[2]!]));
  const devices = [...text.matchAll(/^virtio\d+$/gm)].map(([name]) => name);
  return parameters.size === 0 ? undefined : { devices, parameters };
};

/** How a machine gets more memory while it runs. */
export const PLAN_DEVICES = ["virtio-mem", "dimm"] as const;
export type PlanDevice = (typeof PLAN_DEVICES)[number];

/** Who keeps the guest's memory from the host. */
export const PLAN_PLATFORMS = ["tdx", "snp"] as const;
export type PlanPlatform = (typeof PLAN_PLATFORMS)[number];

export const PLAN_ACCEPTS = ["lazy", "eager"] as const;
export type PlanAccept = (typeof PLAN_ACCEPTS)[number];

export const PLAN_DISCARDS = ["none", "shared-only", "both"] as const;
export type PlanDiscard = (typeof PLAN_DISCARDS)[number];

export const PLAN_FIRMWARE = ["above-4g", "all"] as const;
export type PlanFirmware = (typeof PLAN_FIRMWARE)[number];

/** A machine before it exists. Sizes are bytes. */
export interface PlanRequest {
  readonly memory: number;
  /** Memory that may come while it runs; 0: none. */
  readonly hotplug: number;
  readonly vcpus: number;
  readonly nodes: number;
  readonly platform: PlanPlatform;
  readonly design: string;
  readonly accept: PlanAccept;
  readonly device: PlanDevice;
  /** Block of the virtio-mem device. */
  readonly blockSize: number;
  /** DIMMs that the memory comes in. */
  readonly dimms: number;
  /** What unplug throws away. */
  readonly discard: PlanDiscard;
  /** RAM that firmware leaves unaccepted. */
  readonly unaccepted: PlanFirmware;
  /** Pages that the host gives the TDX module for its extensions; 0 where there is no such module. */
  readonly extensionPages: number;
}

/** How much of a planned machine one run has: all of it, or a smaller twin. */
export interface RunSize {
  readonly memory: number;
  /** Bytes that each device gets. */
  readonly plugged: number;
  /** Devices that get it. */
  readonly devices: number;
}

/** Devices of a machine, and what each gets. */
export const wholeSize = ({ memory, hotplug, device, dimms }: PlanRequest): RunSize => {
  const devices = device === "dimm" ? dimms : 1;
  return { memory, plugged: hotplug / devices, devices };
};

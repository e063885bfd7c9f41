import { EFI_STATUS, type EfiStatus } from "../../abi/efi/status.ts";
import type { BootServices } from "../../efi-stub/boot-services.ts";
import { EFI_SERVICE } from "./fault-calls.ts";
import type { Injector } from "./injector.ts";

const NAMES: ReadonlyMap<number, EfiStatus> = new Map(
  Object.entries(EFI_STATUS).map(([name, code]) => [code, name as EfiStatus]),
);

/** Boot services that can fail. A service that fails has done nothing. */
export const servicesWithFaults = (services: BootServices, injector: Injector): BootServices => {
  const refusal = (service: keyof typeof EFI_SERVICE): EfiStatus | undefined => {
    const answer = injector.bootService(EFI_SERVICE[service]);
    return answer === 0 ? undefined : NAMES.get(answer);
  };
  return {
    getMemoryMap: (type, reuse) =>
      refusal("GetMemoryMap") === undefined ? services.getMemoryMap(type, reuse) : undefined,
    allocatePool: (type, size) =>
      refusal("AllocatePool") === undefined ? services.allocatePool(type, size) : undefined,
    freePool: (at) => services.freePool(at),
    installConfigurationTable: (guid, table) =>
      refusal("InstallConfigurationTable") ?? services.installConfigurationTable(guid, table),
    allowUnacceptedMemory: () => refusal("AllowUnacceptedMemory") ?? services.allowUnacceptedMemory(),
    exitBootServices: (key) => refusal("ExitBootServices") ?? services.exitBootServices(key),
  };
};

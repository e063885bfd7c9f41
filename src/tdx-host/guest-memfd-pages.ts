import { PAGE_SIZE } from "../units.ts";
import { ERRNO } from "./errno.ts";
import { HOST_KERNEL_ALLOCATION, type TdxHost } from "./host-kernel.ts";

/**
 * Private memory of a TD. guest_memfd takes it from the page allocator and from nowhere else, so memory that the host could not
 * online, or that a device DAX driver holds, never becomes private.
 *
 * @source Linux virt/kvm/guest_memfd.c; mailing list, review of the hot-add range check, 2024-10
 */
export class GuestMemfdPages {
  private readonly host: TdxHost;
  private taken = 0;

  constructor(host: TdxHost) {
    this.host = host;
  }

  /** Allocates `bytes` of private memory. @returns 0, or -ENOMEM with nothing taken */
  allocate(bytes: number): number {
    const pages = Math.ceil(bytes / PAGE_SIZE);
    if (this.host.allocationFails(HOST_KERNEL_ALLOCATION.PRIVATE_MEMORY)) return ERRNO.ENOMEM;
    if (pages * PAGE_SIZE > this.host.pages.freeBytes) return ERRNO.ENOMEM;
    this.host.pages.takeAny(pages * PAGE_SIZE);
    this.taken += pages * PAGE_SIZE;
    return 0;
  }

  /** Bytes that TDs have. */
  get privateBytes(): number {
    return this.taken;
  }
}

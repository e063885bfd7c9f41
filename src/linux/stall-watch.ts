/**
 * Who looks at vCPUs that stand still. The kernel says when one begins and ends to do so; it knows no time itself.
 */
export interface StallWatch {
  /** Interrupts are off on the vCPU from now on. */
  irqsOff(vcpu: number): void;
  /**
   * They are on again.
   *
   * @param touched the soft-lockup watchdog was told that all is well just before
   */
  irqsOn(vcpu: number, touched: boolean): void;
  /** The vCPU tries again and again to get what another has. Said once more, it goes on to. */
  spins(vcpu: number): void;
  /** It spins no more, if it did. */
  spun(vcpu: number): void;
}

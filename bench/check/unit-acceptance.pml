/*
 * The yardstick UA(N,C) for SPIN: units with a bitmap bit and a page, vCPUs that accept and release them.
 * Sizes come from the command line: spin -DN=10 -DC=3 -a. Each action is one d_step; bit u of a word is unit u, which
 * keeps the state vector short. `held` is what the guard Free(u) says: bit u is set while a vCPU has unit u.
 */
#ifndef N
#define N 10
#endif
#ifndef C
#define C 3
#endif

#define ALL ((1 << N) - 1)
#define TAKE(u) d_step { pc == 0 && !(held & (1 << u)) -> held = held | (1 << u); un = u; pc = ((bm & (1 << u)) -> 1 : 3) }

int bm = ALL;
int pg;
int held;

active [C] proctype vcpu() {
  byte pc, un;
end:
  do
  :: d_step { pc == 1 -> assert(!(pg & (1 << un))); pg = pg | (1 << un); pc = 2 }
  :: d_step { pc == 2 -> bm = bm & ~(1 << un); held = held & ~(1 << un); pc = 0; un = 0 }
  :: d_step { pc == 3 -> assert(pg & (1 << un)); pg = pg & ~(1 << un); pc = 4 }
  :: d_step { pc == 4 -> bm = bm | (1 << un); held = held & ~(1 << un); pc = 0; un = 0 }
#if N > 0
  :: TAKE(0)
#endif
#if N > 1
  :: TAKE(1)
#endif
#if N > 2
  :: TAKE(2)
#endif
#if N > 3
  :: TAKE(3)
#endif
#if N > 4
  :: TAKE(4)
#endif
#if N > 5
  :: TAKE(5)
#endif
#if N > 6
  :: TAKE(6)
#endif
#if N > 7
  :: TAKE(7)
#endif
#if N > 8
  :: TAKE(8)
#endif
#if N > 9
  :: TAKE(9)
#endif
#if N > 10
  :: TAKE(10)
#endif
#if N > 11
  :: TAKE(11)
#endif
  od
}

// SPDX-License-Identifier: Apache-2.0
// A library that puts the wall clock of the programs it is loaded into forward or back, while they run: LD_PRELOAD it.
// The offset, in nanoseconds, is the eight bytes of the file "<path of the library>.nanoseconds". Clocks that count
// from the start of the machine are left alone. For tests; nothing of the product links it.
#ifndef CLOCK_SHIFT_H
#define CLOCK_SHIFT_H
#endif

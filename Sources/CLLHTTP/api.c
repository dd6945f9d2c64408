// SPDX-License-Identifier: Apache-2.0
// Debian ships llhttp as C source; one source file each, because the three do not compile as one.
#include "/usr/share/llhttp/api.c"

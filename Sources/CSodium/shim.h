// SPDX-License-Identifier: Apache-2.0
#ifndef SWITCHYARD_CSODIUM_SHIM_H
#define SWITCHYARD_CSODIUM_SHIM_H

#include <sodium.h>

#endif

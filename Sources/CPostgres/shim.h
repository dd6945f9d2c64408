// SPDX-License-Identifier: Apache-2.0
#ifndef SWITCHYARD_CPOSTGRES_SHIM_H
#define SWITCHYARD_CPOSTGRES_SHIM_H

#include <libpq-fe.h>

#endif

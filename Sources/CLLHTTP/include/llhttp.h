// SPDX-License-Identifier: Apache-2.0
#include "/usr/share/include/llhttp/llhttp.h"

/* version.c - which tlc this is. SPDX-License-Identifier: MIT */
#include "tlc.h"

const char *tl_version(void) { return "0.1.0"; }

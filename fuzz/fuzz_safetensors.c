/* fuzz_safetensors.c - safetensors files. SPDX-License-Identifier: MIT */
#include "importer.h"

FUZZ_IMPORTER(safetensors, "x.safetensors", 4 << 20)

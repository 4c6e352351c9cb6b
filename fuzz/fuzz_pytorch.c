/* fuzz_pytorch.c - PyTorch's zip files and the pickles in them. SPDX-License-Identifier: MIT */
#include "importer.h"

FUZZ_IMPORTER(pytorch, "x.pth", 64 << 20)

/* fuzz_tflite.c - TFLite files. SPDX-License-Identifier: MIT */
#include "importer.h"

FUZZ_IMPORTER(tflite, "x.tflite", 4 << 20)

/* fuzz_keras.c - Keras files. SPDX-License-Identifier: MIT */
#include "importer.h"

FUZZ_IMPORTER(keras, "x.h5", 4 << 20)

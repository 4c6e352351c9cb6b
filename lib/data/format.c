/* format.c - the table of dataset formats. SPDX-License-Identifier: MIT */
#include "data.h"

#define X(name) extern const tl_format tl_format_##name;
TL_FORMATS(X)
#undef X

const tl_format *const tl_formats[] = {
#define X(name) &tl_format_##name,
    TL_FORMATS(X)
#undef X
        NULL
};

/* spec_rows.h - short forms of tl_field rows for the tables of specs. SPDX-License-Identifier: MIT
 *
 * A table defines T as its struct, lists its rows and names itself with MESSAGE. For tables only:
 * no other file includes this. */
#ifndef TL_SPEC_ROWS_H
#define TL_SPEC_ROWS_H
#include "spec_common.h"

#define SMALLEST 1e-12 /* for ranges that exclude zero */
#define INT(m, def, lo, hi, help)   TL_F(T, m, TL_INT, def, lo, hi, help)
#define FLOAT(m, def, lo, hi, help) TL_F(T, m, TL_FLOAT, def, lo, hi, help)
#define BOOL(m, def, help)          TL_F(T, m, TL_BOOL, def, 0, 1, help)
#define STR(m, help)                TL_F(T, m, TL_STR, 0, 0, 0, help)
#define ENUM(m, def, values, help)  TL_FX(T, m, TL_ENUM, def, 0, 0, help, .names = values)
#define MSG(m, message, bits, help) TL_FX(T, m, TL_MSG, 0, 0, 0, help, .flags = bits, .msg = &message)
#define NOTHING(m, k, help)         TL_FX(T, m, k, 0, 0, 0, help, .flags = TL_NOEFFECT)
#define STRINGS(m, bits, help)      TL_FX(T, m, TL_STR, 0, 0, 0, help, .flags = TL_REPEATED | (bits))
#define MESSAGE(var, proto, T, help) static const tl_msg var = { proto, var##_rows, sizeof(T), help }

/* map<string, message>: `var` is the message of its entries. */
#define MAP_OF(var, proto, message)                                                              \
    static const tl_field var##_rows[] = {                                                       \
        TL_FX(tl_entry, key, TL_STR, 0, 0, 0, "class", .flags = TL_REQUIRED),                    \
        TL_FX(tl_entry, value, TL_MSG, 0, 0, 0, "what holds for it", .msg = &message),           \
        TL_F_END                                                                                 \
    };                                                                                           \
    MESSAGE(var, proto, tl_entry, "An entry of the map.")
#endif

/* text.h - growing text, numbers as text, and the word that was probably meant.
 * SPDX-License-Identifier: MIT */
#ifndef TL_TEXT_H
#define TL_TEXT_H
#include "arena.h"

/* A growing string. Either in an arena, or on a fixed buffer (arena NULL), where it is cut off at
 * the end: messages about failures are built that way, without allocating. Adding returns nothing;
 * running out of memory sticks and is seen once, at tl_text_end. */
typedef struct tl_text {
    tl_arena *arena;
    char     *at;      /* n bytes and a zero */
    size_t    n, cap;
    bool      failed;  /* out of memory, or cut off */
} tl_text;

tl_text     tl_text_new(tl_arena *a);
tl_text     tl_text_on(char *buf, size_t size);
void        tl_text_add(tl_text *t, const char *s, size_t n);
void        tl_textf(tl_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void        tl_text_float(tl_text *t, float v);       /* the shortest decimal that reads back as v */
void        tl_text_quote(tl_text *t, const char *s); /* "s", escaped as protobuf text and C do */
const char *tl_text_end(tl_text *t);                  /* NULL: out of memory, message written */

/* Numbers as protobuf's text format spells them: decimal, 0x and octal integers; floats with an
 * optional f, inf and nan, always with a decimal point, whatever the program's locale. False when
 * the whole text is not such a number, or too large. */
bool tl_parse_int(const char *s, int *v);
bool tl_parse_float(const char *s, float *v);
bool tl_utf8_valid(const char *s, size_t n);

/* "did you mean": try candidates one after another; best is NULL unless one is close enough. */
typedef struct { const char *word, *best; int distance; } tl_nearest;
void tl_nearest_try(tl_nearest *n, const char *candidate);
/* Damerau and Levenshtein's distance: insertions, deletions, replacements and swaps of neighbors.
 * Words longer than 63 bytes are as far from everything as they are long. */
int  tl_edit_distance(const char *a, const char *b);
#endif

/* prototxt_reader.h - the inside of the reader, shared by files and command-line arguments.
 * SPDX-License-Identifier: MIT */
#ifndef TL_PROTOTXT_READER_H
#define TL_PROTOTXT_READER_H
#include "lexer.h"
#include "prototxt.h"

/* A message that is being read, and those around it. */
typedef struct tl_frame {
    const struct tl_frame *up;
    const tl_msg          *msg;
    void                  *obj;
    const char            *name;   /* of the field that holds it; NULL for the outermost */
    tl_place               open;
    bool                   silent; /* inside a field without effect: one warning is enough */
} tl_frame;

typedef struct {
    tl_report *report;
    tl_lexer   lex;
    tl_token   tok;      /* the next, not yet read */
    tl_text    word;     /* the scalar at hand, quotes and escapes resolved */
    int        leave;    /* this many frames end here: a '}' was missing */
    bool       argument; /* the text is a command-line argument: it has no lines */
} tl_reader;

void            tl_reader_next(tl_reader *r);
/* The row of this name; of two, what follows chooses: a message or a plain value. NULL: none. */
const tl_field *tl_reader_row(const tl_msg *m, const char *name, bool message);
/* Report a name that f's message does not have; *guess is the row to go on with, or NULL. */
tl_status tl_reader_unknown(tl_report *r, const tl_frame *f, const char *name, tl_place at,
                            const tl_field **guess);
/* The row, already given, with which `row` cannot stand beside: itself, its namesake, or another
 * member of the oneof. */
const tl_field *tl_reader_rival(const tl_frame *f, const tl_field *row);
/* Note the path of a row without effect, once. */
tl_status       tl_reader_noeffect(tl_report *r, const tl_frame *f, const tl_field *row);
/* The value of row, which is marked as given: one, or a list in brackets. */
tl_status       tl_reader_value(tl_reader *r, const tl_frame *f, const tl_field *row);
#endif

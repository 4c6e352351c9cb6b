/* lexer.h - the words of protobuf's text format. SPDX-License-Identifier: MIT
 *
 * Blanks and # comments separate. A token borrows from the text, which need not end with a zero
 * and may hold anything. */
#ifndef TL_LEXER_H
#define TL_LEXER_H
#include "report.h"

typedef enum {
    TL_TOK_END,    /* of the text */
    TL_TOK_NAME,   /* letters, digits, _ */
    TL_TOK_NUMBER, /* begins with a digit or .digit; whether it is one is for the reader to see */
    TL_TOK_STRING, /* with its quotes */
    TL_TOK_SIGN,   /* any other single character */
    TL_TOK_BAD     /* why says what is wrong with it */
} tl_token_kind;

typedef struct {
    tl_token_kind kind;
    const char   *at;
    size_t        n;
    tl_place      place;
    const char   *why;
} tl_token;

typedef struct {
    const char *at, *end;
    tl_place    place;   /* of at; columns count characters, not bytes */
} tl_lexer;

tl_lexer tl_lexer_new(const char *file, const char *text, size_t n);
tl_token tl_lexer_next(tl_lexer *l);
bool     tl_token_is(const tl_token *t, char sign);
/* The token in quotes, for a message, cut short. */
typedef struct { char s[48]; } tl_shown;
tl_shown tl_token_show(const tl_token *t);
/* Append what a string token stands for. False: *why says what is wrong with an escape. */
bool     tl_token_string(const tl_token *t, tl_text *out, const char **why);
#endif

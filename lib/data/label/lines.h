/* lines.h - lines and words of small text files. SPDX-License-Identifier: MIT */
#ifndef TL_LINES_H
#define TL_LINES_H
#include "sink.h"

/* A text file, taken apart in place. */
typedef struct { char *at, *end; int line; } tl_lines;
#define TL_MAX_LABEL_FILE ((size_t)16 << 20) /* of one picture */

tl_status tl_lines_open(tl_label_sink *s, const char *path, tl_lines *out); /* lives in s->one */
char     *tl_lines_next(tl_lines *l);     /* the next line that is not blank, without its end; NULL: none is left */
int tl_words(char *line, char **word, int most); /* ends each with a zero; how many there are, also beyond most */
/* The words of the first line that is not blank, as tl_words. For tl_label_format's knows. */
int       tl_first_words(char *head, char **word, int most);
/* A file of a picture with an object a line. */
tl_status tl_each_line(tl_label_sink *s, const char *path, int picture,
                       tl_status (*object)(tl_label_sink *s, int picture, char *line, int at));
bool      tl_number(const char *text, float *v); /* finite, whole text */
/* n numbers; names say in a message what each is. */
tl_status tl_numbers(const tl_label_sink *s, int line, int n, char *const *word, const char *const *names,
                     float *v);
#endif

/* lines.c - lines and words of small text files. SPDX-License-Identifier: MIT */
#include "lines.h"
#include "file.h"
#include <math.h>
#include <string.h>

#define BLANKS " \t\r"

tl_status tl_lines_open(tl_label_sink *s, const char *path, tl_lines *out)
{
    tl_bytes b;
    TL_TRY(tl_file_read(s->one, path, TL_MAX_LABEL_FILE, &b));
    if (memchr(b.p, 0, b.n)) return tl_sink_fail(s, 0, "not a text file: it has zero bytes");
    char *text = (char *)(uintptr_t)b.p; /* ours, and followed by a zero */
    *out = (tl_lines){ text, text + b.n, 0 };
    if (!strncmp(text, "\xef\xbb\xbf", 3)) out->at += 3; /* a byte order mark, as Windows' editors write */
    return TL_OK;
}

char *tl_lines_next(tl_lines *l)
{
    while (l->at < l->end) {
        char *line = l->at, *end = line + strcspn(line, "\n");
        l->line++;
        l->at = end + 1; /* beyond the zero at the text's end when there is no newline */
        *end = 0;
        line += strspn(line, BLANKS);
        if (*line) return line;
    }
    return NULL;
}

int tl_words(char *line, char **word, int most)
{
    int n = 0;
    for (char *p = line; *(p += strspn(p, BLANKS)); n++) {
        char *end = p + strcspn(p, BLANKS);
        if (n < most) word[n] = p;
        if (*end) *end++ = 0;
        p = end;
    }
    return n;
}

int tl_first_words(char *head, char **word, int most)
{
    tl_lines l = { head, head + strlen(head), 0 };
    char *line = tl_lines_next(&l);
    return line ? tl_words(line, word, most) : 0;
}

tl_status tl_each_line(tl_label_sink *s, const char *path, int picture,
                       tl_status (*object)(tl_label_sink *s, int picture, char *line, int at))
{
    tl_lines l;
    TL_TRY(tl_lines_open(s, path, &l));
    for (char *line; (line = tl_lines_next(&l));) TL_TRY(object(s, picture, line, l.line));
    return TL_OK;
}

bool tl_number(const char *text, float *v) { return tl_parse_float(text, v) && isfinite(*v); }

tl_status tl_numbers(const tl_label_sink *s, int line, int n, char *const *word, const char *const *names, float *v)
{
    for (int i = 0; i < n; i++)
        if (!tl_number(word[i], v + i))
            return tl_sink_fail(s, line, "'%.40s' is not a number, which %s has to be", word[i], names[i]);
    return TL_OK;
}

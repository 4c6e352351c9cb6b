/* text.c - growing text, numbers as text, nearest words. SPDX-License-Identifier: MIT */
#include "text.h"
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tl_text tl_text_new(tl_arena *a) { return (tl_text){ .arena = a }; }

tl_text tl_text_on(char *buf, size_t size)
{
    buf[0] = 0;
    return (tl_text){ .at = buf, .cap = size };
}

/* Make room for n more bytes and the zero; false when there is none to be had. */
static bool room(tl_text *t, size_t n)
{
    if (t->arena && t->failed) return false;
    if (t->n + n < t->cap) return true;
    if (!t->arena) return !(t->failed = true);
    size_t cap = t->cap ? t->cap : 128;
    while (cap <= t->n + n) cap *= 2;
    char *at = tl_alloc_raw(t->arena, cap);
    if (!at) return !(t->failed = true);
    if (t->n) memcpy(at, t->at, t->n);
    t->at = at;
    t->cap = cap;
    return true;
}

void tl_text_add(tl_text *t, const char *s, size_t n)
{
    if (!room(t, n)) {
        if (t->arena) return;
        n = t->cap - 1 - t->n;
    }
    memcpy(t->at + t->n, s, n);
    t->n += n;
    t->at[t->n] = 0;
}

void tl_textf(tl_text *t, const char *fmt, ...)
{
    if (t->failed) return;
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t left = t->cap - t->n;
    size_t n = (size_t)vsnprintf(left ? t->at + t->n : NULL, left, fmt, ap);
    if (n < left) t->n += n;
    else if (room(t, n)) t->n += (size_t)vsnprintf(t->at + t->n, n + 1, fmt, again);
    else if (!t->arena) t->n = t->cap - 1;
    va_end(again);
    va_end(ap);
}

const char *tl_text_end(tl_text *t)
{
    if (t->arena && t->failed) return NULL;
    return t->n || room(t, 0) ? (t->at[t->n] = 0, t->at) : NULL;
}

/* ---- Numbers ----
 * A program that embeds the library may have set a locale with decimal commas; settings files have
 * points. The C locale is asked for per thread, which costs nothing. */
static locale_t enter_c(void) { return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)); }
static void leave_c(locale_t old) { freelocale(uselocale(old)); }

void tl_text_float(tl_text *t, float v)
{
    char s[32];
    locale_t old = enter_c();
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, (double)v);
        if (strtof(s, NULL) == v) break;
    }
    leave_c(old);
    tl_text_add(t, s, strlen(s));
}

bool tl_parse_int(const char *s, int *v)
{
    const char *digits = s + (*s == '-');
    if (*digits < '0' || *digits > '9') return false;
    char *end;
    errno = 0;
    long long x = strtoll(s, &end, 0);
    if (*end || errno || x < INT_MIN || x > INT_MAX) return false;
    *v = (int)x;
    return true;
}

/* Digits as protobuf wants them: at least one, no hexadecimal, no octal look-alike such as 012. */
static bool decimal(const char *s)
{
    bool digit = s[0] >= '0' && s[0] <= '9';
    if (digit && s[0] == '0' && s[1] && strchr("0123456789xX", s[1])) return false;
    return digit || (s[0] == '.' && s[1] >= '0' && s[1] <= '9');
}

static bool named_float(const char *s, float *v)
{
    if (!strcasecmp(s, "inf") || !strcasecmp(s, "infinity")) *v = strtof("inf", NULL);
    else if (!strcasecmp(s, "nan")) *v = strtof("nan", NULL);
    else return false;
    return true;
}

bool tl_parse_float(const char *s, float *v)
{
    bool minus = *s == '-';
    s += minus;
    float x;
    if (!named_float(s, &x)) {
        if (!decimal(s)) return false;
        char *end;
        locale_t old = enter_c();
        x = strtof(s, &end);
        leave_c(old);
        if (*end == 'f' || *end == 'F') end++;
        if (*end) return false;
    }
    *v = minus ? -x : x;
    return true;
}

/* ---- Quoting ---- */
void tl_text_quote(tl_text *t, const char *s)
{
    static const char plain[] = "\n\t\r\"\\", letter[] = "ntr\"\\";
    tl_text_add(t, "\"", 1);
    for (; *s; s++) {
        const char *p = strchr(plain, *s);
        if (p) tl_textf(t, "\\%c", letter[p - plain]);
        else if ((unsigned char)*s < ' ' || *s == 127) tl_textf(t, "\\%03o", (unsigned)(unsigned char)*s);
        else tl_text_add(t, s, 1);
    }
    tl_text_add(t, "\"", 1);
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool tl_utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + n;
    while (s < end) {
        int more = *s < 0x80                 ? 0
                   : *s >= 0xC2 && *s < 0xE0 ? 1
                   : (*s & 0xF0) == 0xE0     ? 2
                   : *s >= 0xF0 && *s < 0xF5 ? 3
                                             : -1;
        if (more < 0 || end - s <= more) return false;
        if ((*s == 0xE0 && s[1] < 0xA0) || (*s == 0xED && s[1] > 0x9F)) return false;
        if ((*s == 0xF0 && s[1] < 0x90) || (*s == 0xF4 && s[1] > 0x8F)) return false;
        for (s++; more > 0; more--, s++)
            if ((*s & 0xC0) != 0x80) return false;
    }
    return true;
}

/* ---- Nearest words ---- */
#define WORD 64

static int least(int a, int b) { return a < b ? a : b; }

/* The usual table of distances between prefixes, of which three rows are kept: row i counts from
 * the first i letters of a (optimal string alignment: no part is edited twice). */
int tl_edit_distance(const char *a, const char *b)
{
    int la = (int)strlen(a), lb = (int)strlen(b);
    if (la >= WORD || lb >= WORD) return strcmp(a, b) ? (la > lb ? la : lb) : 0;
    int rows[3][WORD], *before = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= lb; j++) row[j] = j;
    for (int i = 1; i <= la; i++) {
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[lb];
}

void tl_nearest_try(tl_nearest *n, const char *candidate)
{
    int len = (int)strlen(n->word), far = len < 6 ? len / 2 : len / 3;
    int d = strcasecmp(n->word, candidate) ? tl_edit_distance(n->word, candidate) : 0;
    if (d > far || (n->best && d >= n->distance)) return;
    n->best = candidate;
    n->distance = d;
}

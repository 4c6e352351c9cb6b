/* lexer.c - the words of protobuf's text format. SPDX-License-Identifier: MIT */
#include "lexer.h"
#include <stdio.h>
#include <string.h>

tl_lexer tl_lexer_new(const char *file, const char *text, size_t n)
{
    if (n >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) { /* a byte order mark, as some editors write */
        text += 3;
        n -= 3;
    }
    return (tl_lexer){ text, text + n, { file, 1, 1 } };
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word(char c) { return is_letter(c) || is_digit(c); }
static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* All movement goes through here, so line and column are always right. */
static void step(tl_lexer *l)
{
    char c = *l->at++;
    if (c == '\n') { l->place.line++; l->place.col = 1; }
    else if ((c & 0xC0) != 0x80) l->place.col++; /* later bytes of a UTF-8 character do not count */
}

static char peek(const tl_lexer *l, int ahead) { return l->end - l->at > ahead ? l->at[ahead] : 0; }

static void skip_blank(tl_lexer *l)
{
    while (l->at < l->end && (is_blank(*l->at) || *l->at == '#')) {
        if (*l->at == '#')
            while (l->at < l->end && *l->at != '\n') step(l);
        else
            step(l);
    }
}

static void number(tl_lexer *l)
{
    while (is_word(peek(l, 0)) || peek(l, 0) == '.') {
        bool exponent = *l->at == 'e' || *l->at == 'E';
        step(l);
        if (exponent && (peek(l, 0) == '+' || peek(l, 0) == '-') && is_digit(peek(l, 1))) step(l);
    }
}

/* To the same quote on the same line; an escaped quote does not end it. */
static bool string(tl_lexer *l)
{
    char quote = *l->at;
    step(l);
    while (l->at < l->end && *l->at != '\n' && *l->at != quote) {
        bool escape = *l->at == '\\';
        step(l);
        if (escape && l->at < l->end && *l->at != '\n') step(l);
    }
    if (peek(l, 0) != quote) return false;
    step(l);
    return true;
}

tl_token tl_lexer_next(tl_lexer *l)
{
    skip_blank(l);
    tl_token t = { TL_TOK_END, l->at, 0, l->place, NULL };
    if (l->at == l->end) return t;
    char c = *l->at;
    if (is_letter(c)) {
        t.kind = TL_TOK_NAME;
        while (is_word(peek(l, 0))) step(l);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
        t.kind = TL_TOK_NUMBER;
        number(l);
    } else if (c == '"' || c == '\'') {
        t.kind = TL_TOK_STRING;
        if (!string(l)) {
            t.kind = TL_TOK_BAD;
            t.why = "this string does not end on its line: a closing quote is missing";
        }
    } else {
        t.kind = TL_TOK_SIGN;
        do step(l); while (l->at < l->end && (*l->at & 0xC0) == 0x80); /* a whole UTF-8 character */
    }
    t.n = (size_t)(l->at - t.at);
    return t;
}

bool tl_token_is(const tl_token *t, char sign) { return t->kind == TL_TOK_SIGN && t->at[0] == sign; }

tl_shown tl_token_show(const tl_token *t)
{
    tl_shown out;
    if (t->kind == TL_TOK_END) snprintf(out.s, sizeof out.s, "the end of the text");
    else if (t->n > 40) snprintf(out.s, sizeof out.s, "'%.37s...'", t->at);
    else snprintf(out.s, sizeof out.s, "'%.*s'", (int)t->n, t->at);
    return out;
}

/* ---- Escapes ---- */
static int digit_value(char c, int base)
{
    int v = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : base;
    return v < base ? v : -1;
}

/* At most `most` digits; returns how many were there. */
static int digits(const char **s, const char *end, int base, int most, uint32_t *v)
{
    int n = 0;
    for (*v = 0; n < most && *s < end && digit_value(**s, base) >= 0; n++)
        *v = *v * (uint32_t)base + (uint32_t)digit_value(*(*s)++, base);
    return n;
}

static void add_utf8(tl_text *t, uint32_t c)
{
    char s[4];
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = { 0, 0xC0, 0xE0, 0xF0 };
    s[0] = (char)(lead[more] | c >> (6 * more));
    for (int i = 1; i <= more; i++) s[i] = (char)(0x80 | ((c >> (6 * (more - i))) & 0x3F));
    tl_text_add(t, s, (size_t)more + 1);
}

/* \uXXXX or \UXXXXXXXX, s after the letter; two \u may make a surrogate pair. */
static const char *unicode(const char **s, const char *end, int width, tl_text *out)
{
    uint32_t c, low;
    if (digits(s, end, 16, width, &c) < width) return "\\u takes 4 hexadecimal digits, \\U takes 8";
    if (c >= 0xD800 && c < 0xDC00 && end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u') {
        const char *next = *s + 2;
        if (digits(&next, end, 16, 4, &low) == 4 && low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            *s = next;
        }
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return "this is not a Unicode character";
    if (!c) return "a string cannot hold a zero byte";
    add_utf8(out, c);
    return NULL;
}

/* One escape, s after the backslash. NULL, or what is wrong. */
static const char *escape(const char **s, const char *end, tl_text *out)
{
    static const char letter[] = "abfnrtv\\'\"?", byte[] = "\a\b\f\n\r\t\v\\'\"?";
    char c = **s;
    uint32_t v = 0;
    if (digit_value(c, 8) >= 0) {
        digits(s, end, 8, 3, &v);
    } else if (++*s, c == 'x' || c == 'X') {
        if (!digits(s, end, 16, 2, &v)) return "\\x takes hexadecimal digits";
    } else if (c == 'u' || c == 'U') {
        return unicode(s, end, c == 'u' ? 4 : 8, out);
    } else {
        const char *p = memchr(letter, c, sizeof letter - 1);
        if (!p) return "there is no such escape; for a backslash write \\\\";
        v = (unsigned char)byte[p - letter];
    }
    if (!v) return "a string cannot hold a zero byte";
    if (v > 255) return "an octal escape goes up to \\377";
    char b = (char)v;
    tl_text_add(out, &b, 1);
    return NULL;
}

bool tl_token_string(const tl_token *t, tl_text *out, const char **why)
{
    const char *s = t->at + 1, *end = t->at + t->n - 1;
    size_t from = out->n;
    while (s < end) {
        if (*s == '\\') {
            s++;
            if ((*why = escape(&s, end, out))) return false;
        } else if (!*s) {
            *why = "a string cannot hold a zero byte";
            return false;
        } else {
            tl_text_add(out, s++, 1);
        }
    }
    *why = "this string is not valid UTF-8";
    return out->failed || tl_utf8_valid(out->at + from, out->n - from);
}

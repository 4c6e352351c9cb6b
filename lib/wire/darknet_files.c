/* darknet_files.c - darknet's two files: the network as text, the weights as numbers. SPDX-License-Identifier: MIT
 */
#include "darknet_files.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are little-endian");

/* ---- The network ---- */

/* One line without blanks, comment and end, in place; the next line. */
static char *take_line(char *at, char *end, char **line)
{
    char *to = *line = at;
    bool comment = false;
    for (; at < end && *at != '\n'; at++) {
        comment |= *at == '#' || *at == ';';
        if (!comment && *at && !strchr(" \t\r", *at)) *to++ = *at;
    }
    char *after = at < end ? at + 1 : end;
    *to = 0; /* at most on the line's own end, or the zero after the text */
    return after;
}

bool tl_cfg_knows(tl_bytes file)
{
    char head[256];
    for (size_t i = 0; i < file.n;) {
        size_t n = 0;
        for (; i < file.n && file.p[i] != '\n'; i++)
            if (n < sizeof head - 1 && !strchr(" \t\r", file.p[i])) head[n++] = (char)file.p[i];
        i++;
        head[n] = 0;
        if (n && head[0] != '#' && head[0] != ';')
            return !strncmp(head, "[net]", 5) || !strncmp(head, "[network]", 9);
    }
    return false;
}

static tl_status read_line(tl_arena *a, char *line, int number, tl_list *sections, tl_list *pairs)
{
    size_t n = strlen(line);
    tl_cfg_section *s = sections->n ? (tl_cfg_section *)sections->at + sections->n - 1 : NULL;
    if (!n) return TL_OK;
    if (line[0] == '[') {
        TL_CHECK(line[n - 1] == ']', TL_EFORMAT, "line %d: '%.60s' lacks its ]", number, line);
        line[n - 1] = 0;
        TL_NEW(s = tl_add(a, sections, tl_cfg_section));
        *s = (tl_cfg_section){ .name = line + 1, .line = number };
        return TL_OK;
    }
    char *equals = strchr(line, '=');
    TL_CHECK(s && equals, TL_EFORMAT, "line %d: '%.60s' is neither [section] nor key=value", number, line);
    *equals = 0;
    tl_cfg_pair *p = tl_add(a, pairs, tl_cfg_pair);
    TL_NEW(p);
    *p = (tl_cfg_pair){ line, equals + 1 };
    s->n++;
    return TL_OK;
}

tl_status tl_cfg_parse(tl_arena *a, tl_bytes file, tl_list *out)
{
    tl_list pairs = { 0, NULL };
    char *text = tl_strndup(a, (const char *)file.p, file.n), *end = text + file.n, *line;
    TL_NEW(text);
    *out = (tl_list){ 0, NULL };
    for (int number = 1; text < end; number++) {
        text = take_line(text, end, &line);
        TL_TRY(read_line(a, line, number, out, &pairs));
    }
    const tl_cfg_pair *p = pairs.at; /* it moved while it grew */
    for (int i = 0; i < out->n; i++) {
        tl_cfg_section *s = (tl_cfg_section *)out->at + i;
        s->pair = p;
        if (s->n) p += s->n;
    }
    return TL_OK;
}

const char *tl_cfg_text(const tl_cfg_section *s, const char *key, const char *otherwise)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->pair[i].key, key)) return s->pair[i].value;
    return otherwise;
}

tl_status tl_cfg_int(const tl_cfg_section *s, const char *key, int otherwise, int lo, int hi, int *out)
{
    const char *text = tl_cfg_text(s, key, NULL);
    *out = otherwise;
    TL_CHECK(!text || tl_parse_int(text, out), TL_EFORMAT, "%s=%.40s is not an integer", key, text);
    TL_CHECK(*out >= lo && *out <= hi, TL_EFORMAT, "%s=%d is outside %d to %d", key, *out, lo, hi);
    return TL_OK;
}

tl_status tl_cfg_float(const tl_cfg_section *s, const char *key, float otherwise, float *out)
{
    const char *text = tl_cfg_text(s, key, NULL);
    *out = otherwise;
    TL_CHECK(!text || tl_parse_float(text, out), TL_EFORMAT, "%s=%.40s is not a number", key, text);
    return TL_OK;
}

tl_status tl_cfg_ints(const tl_cfg_section *s, const char *key, int max, int *out, int *n)
{
    const char *text = tl_cfg_text(s, key, "");
    char one[16];
    *n = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        TL_CHECK(len < sizeof one, TL_EFORMAT, "%s: '%.40s' is not a list of integers", key, text);
        memcpy(one, text, len);
        one[len] = 0;
        TL_CHECK(*n < max, TL_EUNSUP, "%s: more than %d values are not supported", key, max);
        TL_CHECK(tl_parse_int(one, &out[(*n)++]), TL_EFORMAT, "%s: '%s' is not an integer", key, one);
        text += len + (text[len] == ',');
    }
    return TL_OK;
}

/* ---- The weights ---- */

typedef struct {
    int32_t major, minor, revision;
} header;

/* Since 0.2 the count of pictures has 64 bits, before 32. */
static bool read_header(tl_bytes file, header *h, size_t *size)
{
    if (file.n < 16) return false;
    memcpy(h, file.p, sizeof *h);
    if (h->major < 0 || h->major > 2000 || h->minor < 0 || h->minor > 2000) return false;
    *size = h->major * 10 + h->minor >= 2 && h->major < 1000 && h->minor < 1000 ? 20 : 16;
    return file.n >= *size;
}

bool tl_darknet_weights_knows(tl_bytes file)
{
    header h;
    size_t size;
    return read_header(file, &h, &size) && !h.major && h.minor >= 1 && h.minor <= 2 && h.revision >= 0 &&
           h.revision < 100 && (file.n - size) % 4 == 0;
}

tl_status tl_darknet_weights_open(tl_bytes file, tl_darknet_weights *out)
{
    header h;
    size_t size;
    TL_CHECK(read_header(file, &h, &size), TL_EFORMAT, "these are not darknet weights: no header of %d bytes", 16);
    TL_CHECK((file.n - size) % 4 == 0, TL_EFORMAT, "the weights are cut off: %zu bytes are no whole numbers",
             file.n - size);
    *out = (tl_darknet_weights){ file.p + size, (file.n - size) / 4, h.major > 1000 || h.minor > 1000 };
    return TL_OK;
}

tl_status tl_darknet_take(tl_darknet_weights *w, tl_arena *a, size_t n, float **out)
{
    TL_CHECK(w->left || !n, TL_EUNSUP, "the weights end before this layer");
    TL_CHECK(n <= w->left, TL_EFORMAT,
             "the weights are cut off, or those of another network: %zu numbers are needed here, %zu are left", n,
             w->left);
    float *to = tl_alloc_raw(a, n * sizeof *to);
    TL_NEW(to);
    memcpy(to, w->at, n * sizeof *to);
    w->at += n * sizeof *to;
    w->left -= n;
    *out = to;
    return TL_OK;
}

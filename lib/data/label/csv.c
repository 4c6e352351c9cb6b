/* csv.c - labels as a table: one .csv file for all pictures, a row for each object. SPDX-License-Identifier: MIT
 *
 * The first row names the columns, which may come in any order and under several names; those that are not known
 * are passed over. Open Images' tables, told by ImageID, hold fractions of the picture's sides. A row without class
 * and box is a picture without objects. Values in quotes may have commas in them, also decimal ones, but no line
 * ends (RFC 4180 but for that). */
#include "lines.h"
#include "save.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE, CLASS, X1, Y1, X2, Y2, NEEDED };
enum { WIDTH = NEEDED, HEIGHT, SCORE, TRUNCATED, OCCLUDED, CROWD, DIFFICULT, COLUMNS };
#define MOST_NAMES 5
static const char *const column[COLUMNS][MOST_NAMES] = {
    { "filename", "ImageID", "image", "image_id", "path" },
    { "class", "LabelName", "label", "class_name", "category" },
    { "xmin", "x1", "left" },
    { "ymin", "y1", "top" },
    { "xmax", "x2", "right" },
    { "ymax", "y2", "bottom" },
    { "width", "image_width" },
    { "height", "image_height" },
    { "score", "confidence" },
    { "IsTruncated", "truncated" },
    { "IsOccluded", "occluded" },
    { "IsGroupOf", "iscrowd" },
    { "difficult" },
};
#define MOST_FIELDS 64

typedef struct {
    tl_label_sink *s;
    int  line, at[COLUMNS];  /* at: which field holds it, -1: none does */
    bool titled, fractions;  /* titled: the columns are known */
    int  n;
    char *field[MOST_FIELDS];
} reader;

/* ---- Fields ---- */

/* One field of p, unquoted in place and ended by a zero. *rest: what follows its comma, NULL after the last. False:
 * a quote is open. */
static bool next_field(char *p, char **field, char **rest)
{
    char *to = p;
    bool quoted = *p == '"';
    *field = p;
    p += quoted;
    for (; *p && (quoted || *p != ','); p++) {
        if (quoted && *p == '"' && *++p != '"') quoted = false;
        if (!quoted && (!*p || *p == ',')) break;
        *to++ = *p;
    }
    *rest = *p ? p + 1 : NULL;
    *to = 0;
    return !quoted;
}

static tl_status split(reader *r, char *line)
{
    char *field;
    line[strcspn(line, "\r\n")] = 0;
    for (r->n = 0; line; r->n++) {
        if (!next_field(line, &field, &line)) return tl_sink_fail(r->s, r->line, "a quote is not closed");
        if (r->n == MOST_FIELDS) return tl_sink_fail(r->s, r->line, "more than %d columns", MOST_FIELDS);
        r->field[r->n] = field + strspn(field, " \t");
        for (size_t k = strlen(field); k && strchr(" \t", field[k - 1]); k--) field[k - 1] = 0;
    }
    return TL_OK;
}

static const char *get(const reader *r, int which)
{
    int i = r->at[which];
    return i < 0 || i >= r->n ? "" : r->field[i];
}

/* ---- Rows ---- */

/* Which field is which. The first column that is missing, NEEDED when none is. */
static int find_columns(reader *r)
{
    for (int c = 0; c < COLUMNS; c++) {
        r->at[c] = -1;
        for (int k = 0; k < MOST_NAMES && r->at[c] < 0; k++)
            for (int i = 0; i < r->n && column[c][k]; i++)
                if (!strcasecmp(r->field[i], column[c][k])) r->at[c] = i;
    }
    r->fractions = r->at[PICTURE] >= 0 && !strcasecmp(r->field[r->at[PICTURE]], "ImageID");
    for (int c = 0; c < NEEDED; c++)
        if (r->at[c] < 0) return c;
    return NEEDED;
}

/* 0 when there is no such column or nothing in it. */
static tl_status number(const reader *r, int which, float *v)
{
    char text[64];
    snprintf(text, sizeof text, "%s", get(r, which));
    char *comma = strchr(text, ',');
    if (comma && !strchr(text, '.')) *comma = '.';
    *v = 0;
    if (!*text || tl_number(text, v)) return TL_OK;
    return tl_sink_fail(r->s, r->line, "'%.40s' is not a number, which column '%s' has to hold", text,
                        column[which][0]);
}

static tl_status flags(const reader *r, tl_object *o)
{
    static const int which[] = { TRUNCATED, OCCLUDED, CROWD, DIFFICULT };
    float v[TL_LEN(which)];
    for (int i = 0; i < TL_LEN(which); i++) TL_TRY(number(r, which[i], v + i));
    o->truncation = v[0]; /* -1 is Open Images' word for not known, too */
    o->occlusion = v[1] > 0;
    if (v[2] > 0) o->flags |= TL_CROWD;
    if (v[3] > 0) o->flags |= TL_DIFFICULT;
    return TL_OK;
}

static bool says_nothing(const reader *r)
{
    for (int c = CLASS; c < NEEDED; c++)
        if (*get(r, c)) return false;
    return true;
}

static tl_status object(const reader *r, int picture)
{
    static const int which[] = { X1, Y1, X2, Y2 };
    tl_seen_object seen = { .picture = picture, .line = r->line, .fractions = r->fractions };
    tl_object *o = &seen.o;
    float v[4];
    if (!*get(r, CLASS)) return tl_sink_fail(r->s, r->line, "a box without a class");
    for (int i = 0; i < 4; i++) {
        if (!*get(r, which[i])) return tl_sink_fail(r->s, r->line, "a box without %s", column[which[i]][0]);
        TL_TRY(number(r, which[i], v + i));
    }
    TL_TRY(tl_sink_class(r->s, get(r, CLASS), &o->label));
    TL_TRY(flags(r, o));
    o->box = (tl_box){ v[0], v[1], v[2], v[3] };
    if (*get(r, SCORE) && !r->fractions) { /* Open Images' Confidence is how the box was drawn */
        TL_TRY(number(r, SCORE, v));
        tl_object_score(o, v[0]);
    }
    return tl_sink_object(r->s, &seen, NULL);
}

static tl_status row(reader *r)
{
    float w, h;
    if (!*get(r, PICTURE)) return tl_sink_fail(r->s, r->line, "a row without the picture's name");
    int picture = tl_sink_picture(r->s, get(r, PICTURE));
    if (picture < 0) return TL_ENOMEM;
    TL_TRY(number(r, WIDTH, &w));
    TL_TRY(number(r, HEIGHT, &h));
    TL_TRY(tl_sink_describe(r->s, picture, NULL, (double)w, (double)h));
    return says_nothing(r) ? TL_OK : object(r, picture);
}

/* ---- Files ---- */

static char *without_mark(char *line) { return strncmp(line, "\xef\xbb\xbf", 3) ? line : line + 3; }

static tl_status header(reader *r, char *line)
{
    TL_TRY(split(r, without_mark(line)));
    int missing = find_columns(r);
    r->titled = missing == NEEDED;
    if (r->titled) return TL_OK;
    return tl_sink_fail(r->s, r->line,
                        "no column '%s'; the first row has to name filename, class, xmin, ymin, xmax and ymax",
                        column[missing][0]);
}

static tl_status read_rows(reader *r, FILE *f, char **line, size_t *size)
{
    while (getline(line, size, f) >= 0) {
        r->line++;
        if (!(*line)[strspn(*line, " \t\r\n")]) continue;
        if (!r->titled) TL_TRY(header(r, *line));
        else {
            TL_TRY(split(r, *line));
            TL_TRY(row(r));
        }
    }
    if (ferror(f)) return tl_fail(TL_EIO, "cannot read '%s': %s", r->s->file, strerror(errno));
    return r->titled ? TL_OK : tl_sink_fail(r->s, 0, "empty");
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    (void)picture;
    reader r = { .s = s };
    char *line = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "rb");
    TL_CHECK(f, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    tl_status status = read_rows(&r, f, &line, &size);
    free(line);
    fclose(f);
    return status;
}

static bool knows(char *head)
{
    reader r = { .s = NULL };
    head[strcspn(head, "\r\n")] = 0;
    char *line = without_mark(head), *field;
    for (; line && r.n < MOST_FIELDS && next_field(line, &field, &line); r.n++) r.field[r.n] = field;
    return find_columns(&r) == NEEDED;
}

/* ---- Writing: how much is hidden is lost, only that it is stays ---- */

static tl_status put_field(FILE *f, const char *s)
{
    TL_CHECK(!strpbrk(s, "\r\n"), TL_EDATA, "the name '%s' has a line end in it, which a table cannot hold", s);
    const bool quote = strpbrk(s, ",\"") || *s == ' ';
    if (quote) fputc('"', f);
    for (; *s; s++) {
        if (*s == '"') fputc('"', f);
        fputc(*s, f);
    }
    if (quote) fputc('"', f);
    return TL_OK;
}

static tl_status put_picture(const tl_label_save *s, FILE *f, int picture)
{
    const tl_picture *p = s->labels->picture + picture;
    TL_TRY(put_field(f, s->name[picture]));
    if (p->w) fprintf(f, ",%d,%d,", p->w, p->h);
    else fputs(",,,", f);
    return TL_OK;
}

static tl_status put_object(const tl_label_save *s, FILE *f, const tl_object *o)
{
    const float v[] = { o->box.x1, o->box.y1, o->box.x2, o->box.y2, o->truncation };
    TL_TRY(put_field(f, tl_save_class(s, o)));
    for (int k = 0; k < TL_LEN(v); k++) {
        fputc(',', f);
        tl_save_number(f, v[k]);
    }
    fprintf(f, ",%d,%d,%d,", o->occlusion > 0, (o->flags & TL_CROWD) > 0, (o->flags & TL_DIFFICULT) > 0);
    if (o->flags & TL_SCORED) tl_save_number(f, o->score);
    return TL_OK;
}

static tl_status write(const tl_label_save *s, FILE *f, int picture)
{
    (void)picture;
    fputs("filename,width,height,class,xmin,ymin,xmax,ymax,truncated,occluded,iscrowd,difficult,score\n", f);
    for (int i = 0; i < s->n; i++) {
        const tl_picture *p = s->labels->picture + s->picture[i];
        if (!p->n) {
            TL_TRY(put_picture(s, f, s->picture[i]));
            fputs(",,,,,,,,,\n", f);
        }
        for (int k = p->first; k < p->first + p->n; k++) {
            TL_TRY(put_picture(s, f, s->picture[i]));
            TL_TRY(put_object(s, f, s->labels->object + k));
            fputc('\n', f);
        }
    }
    return TL_OK;
}

static const char *const folders[] = { "annotations", "Annotations", "labels", NULL };
const tl_label_format tl_label_csv = {
    .name = "csv",
    .brief = "a table: one .csv file whose first row names the columns",
    .suffix = ".csv",
    .folders = folders,
    .files = TL_FILE_ONE,
    .knows = knows,
    .read = read,
    .write = write,
    .file = "annotations.csv",
};

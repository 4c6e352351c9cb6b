/* voc.c - Pascal VOC's labels: an XML file for each picture (Everingham et al. 2010). SPDX-License-Identifier: MIT
 *
 * Expat calls for each element; what is wanted is told by its path, so that the box of a part of a person is not
 * taken for the person's. A document type declaration, with which XML can be made to expand without end, is
 * refused. */
#include "lines.h"
#include "save.h"
#include "file.h"
#include <expat.h>
#include <stdio.h>
#include <string.h>

/* What the leaves of the tree hold. */
enum {
    NAME,
    XMIN,
    YMIN,
    XMAX,
    YMAX,
    TRUNCATED,
    OCCLUDED,
    DIFFICULT,
    OF_OBJECT,
    FILENAME = OF_OBJECT,
    WIDTH,
    HEIGHT,
    LEAVES
};
static const char *const leaf[LEAVES] = {
    "/annotation/object/name",         "/annotation/object/bndbox/xmin",  "/annotation/object/bndbox/ymin",
    "/annotation/object/bndbox/xmax",  "/annotation/object/bndbox/ymax",  "/annotation/object/truncated",
    "/annotation/object/occluded",     "/annotation/object/difficult",    "/annotation/filename",
    "/annotation/size/width",          "/annotation/size/height",
};
#define OBJECT "/annotation/object"
#define MOST   256 /* bytes of a path, or of a leaf's text */

typedef struct {
    tl_label_sink *s;
    XML_Parser xml;
    int picture;
    char path[MOST], text[MOST], value[LEAVES][MOST];
    size_t text_n;
    tl_status status;
} reader;

static int line(const reader *r) { return (int)XML_GetCurrentLineNumber(r->xml); }

/* Remember the first thing that went wrong; Expat calls no more, but for the end of an empty element. */
static void stop(reader *r, tl_status s)
{
    if (!s || r->status) return;
    r->status = s;
    XML_StopParser(r->xml, XML_FALSE);
}

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes)
{
    (void)attributes;
    reader *r = ctx;
    size_t n = strlen(r->path);
    if (!n && strcmp(name, "annotation")) {
        stop(r, tl_sink_fail(r->s, line(r), "<%.40s> is another program's form; Pascal VOC's begins with <annotation>",
                             name));
        return;
    }
    if (n + 1 + strlen(name) >= MOST) {
        stop(r, tl_sink_fail(r->s, line(r), "elements nest too deeply"));
        return;
    }
    snprintf(r->path + n, MOST - n, "/%s", name);
    r->text_n = 0;
    if (!strcmp(r->path, OBJECT)) memset(r->value, 0, sizeof *r->value * OF_OBJECT);
}

static void XMLCALL on_text(void *ctx, const char *text, int n)
{
    reader *r = ctx;
    for (int i = 0; i < n && r->text_n < MOST - 1; i++) r->text[r->text_n++] = text[i];
}

/* A leaf's text without blanks around it. */
static void take_text(reader *r, char value[MOST])
{
    const char *at = r->text, *end = r->text + r->text_n;
    while (at < end && strchr(" \t\r\n", *at)) at++;
    while (at < end && strchr(" \t\r\n", end[-1])) end--;
    snprintf(value, MOST, "%.*s", (int)(end - at), at);
}

/* Flags are 0 or 1 and may be absent or empty, or words. */
static bool flag(const reader *r, int which)
{
    const char *v = r->value[which];
    return *v && strcmp(v, "0") && strcasecmp(v, "false") && strcasecmp(v, "unspecified");
}

static tl_status object(reader *r)
{
    static const char *const names[] = { "xmin", "ymin", "xmax", "ymax" };
    tl_seen_object seen = { .picture = r->picture, .line = line(r) };
    tl_object *o = &seen.o;
    float v[4];
    char *word[4];
    if (!*r->value[NAME]) return tl_sink_fail(r->s, seen.line, "an <object> without <name>");
    for (int i = 0; i < 4; i++) {
        word[i] = r->value[XMIN + i];
        if (!*word[i])
            return tl_sink_fail(r->s, seen.line, "the <bndbox> of '%s' has no <%s>", r->value[NAME], names[i]);
    }
    TL_TRY(tl_numbers(r->s, seen.line, 4, word, names, v));
    TL_TRY(tl_sink_class(r->s, r->value[NAME], &o->label));
    o->box = (tl_box){ v[0], v[1], v[2], v[3] };
    o->truncation = flag(r, TRUNCATED);
    o->occlusion = flag(r, OCCLUDED);
    if (flag(r, DIFFICULT)) o->flags = TL_DIFFICULT;
    return tl_sink_object(r->s, &seen, NULL);
}

static void XMLCALL on_end(void *ctx, const char *name)
{
    (void)name;
    reader *r = ctx;
    if (r->status) return; /* the end of the element that was refused */
    for (int i = 0; i < LEAVES; i++)
        if (!strcmp(r->path, leaf[i])) take_text(r, r->value[i]);
    if (!strcmp(r->path, OBJECT)) stop(r, object(r));
    *strrchr(r->path, '/') = 0;
    r->text_n = 0;
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system, const char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    reader *r = ctx;
    stop(r, tl_sink_fail(r->s, line(r), "a document type declaration, which labels have no use for, is refused"));
}

static tl_status parse(reader *r, tl_bytes b)
{
    XML_SetUserData(r->xml, r);
    XML_SetElementHandler(r->xml, on_start, on_end);
    XML_SetCharacterDataHandler(r->xml, on_text);
    XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
    if (!XML_Parse(r->xml, (const char *)b.p, (int)b.n, XML_TRUE) && !r->status)
        return tl_sink_fail(r->s, line(r), "not XML: %s", XML_ErrorString(XML_GetErrorCode(r->xml)));
    return r->status;
}

/* The picture's name is the file's: <filename> often tells where the picture lay when it was labeled. */
static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    tl_bytes b;
    float w = 0, h = 0;
    TL_TRY(tl_file_read(s->one, path, TL_MAX_LABEL_FILE, &b));
    reader *r = tl_new(s->one, reader, 1);
    TL_NEW(r);
    *r = (reader){ .s = s, .picture = picture, .xml = XML_ParserCreate(NULL) };
    TL_CHECK(r->xml, TL_ENOMEM, "out of memory");
    tl_status status = parse(r, b);
    XML_ParserFree(r->xml);
    TL_TRY(status);
    if (tl_number(r->value[WIDTH], &w) && tl_number(r->value[HEIGHT], &h))
        return tl_sink_describe(s, picture, NULL, (double)w, (double)h);
    return TL_OK;
}

static bool knows(char *head)
{
    const char *root = strstr(head, "<annotation");
    return root && strchr("> \t\r\n", root[sizeof "<annotation" - 1]);
}

/* ---- Writing: how much is hidden or cut off is lost, only that it is stays ---- */

static void put_text(FILE *f, const char *s)
{
    for (; *s; s++)
        if (*s == '&') fputs("&amp;", f);
        else if (*s == '<') fputs("&lt;", f);
        else if (*s == '>') fputs("&gt;", f);
        else fputc(*s, f);
}

static void put_object(FILE *f, const char *class, const tl_object *o)
{
    static const char *const names[] = { "xmin", "ymin", "xmax", "ymax" };
    const float v[] = { o->box.x1, o->box.y1, o->box.x2, o->box.y2 };
    fputs("  <object>\n    <name>", f);
    put_text(f, class);
    fprintf(f, "</name>\n    <truncated>%d</truncated>\n    <occluded>%d</occluded>\n    <difficult>%d</difficult>\n    "
               "<bndbox>", o->truncation > 0, o->occlusion > 0, (o->flags & TL_DIFFICULT) > 0);
    for (int k = 0; k < TL_LEN(v); k++) {
        fprintf(f, "<%s>", names[k]);
        tl_save_number(f, v[k]);
        fprintf(f, "</%s>", names[k]);
    }
    fputs("</bndbox>\n  </object>\n", f);
}

static tl_status write(const tl_label_save *s, FILE *f, int picture)
{
    const tl_picture *p = s->labels->picture + picture;
    fputs("<annotation>\n  <filename>", f);
    put_text(f, s->name[picture]);
    fputs("</filename>\n", f);
    if (p->w) fprintf(f, "  <size><width>%d</width><height>%d</height><depth>3</depth></size>\n", p->w, p->h);
    for (int i = p->first; i < p->first + p->n; i++)
        put_object(f, tl_save_class(s, s->labels->object + i), s->labels->object + i);
    fputs("</annotation>\n", f);
    return TL_OK;
}

static const char *const folders[] = { "Annotations", "annotations", "labels", NULL };
const tl_label_format tl_label_voc = {
    .name = "voc",
    .brief = "Pascal VOC: an .xml file for each picture",
    .suffix = ".xml",
    .folders = folders,
    .files = TL_FILE_EACH,
    .knows = knows,
    .read = read,
    .write = write,
};

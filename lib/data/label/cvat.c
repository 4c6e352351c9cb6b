/* cvat.c - CVAT's labels of images: one XML file for all. SPDX-License-Identifier: MIT
 *
 *   <annotations>
 *     <image name="" width="" height="">
 *       <box label="" occluded="0" xtl="" ytl="" xbr="" ybr=""/>
 *       <polygon label="" occluded="0" points="x,y;x,y;..."/>
 *
 * Of a polygon the box around it is taken. Tracks, its form for videos, have no pictures to go with and are refused. */
#include "lines.h"
#include <errno.h>
#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tl_label_sink *s;
    XML_Parser xml;
    int picture; /* -1: outside of <image> */
    tl_status status;
} reader;

static int line(const reader *r) { return (int)XML_GetCurrentLineNumber(r->xml); }

/* "" when there is none. */
static const char *attribute(const char *const *at, const char *name)
{
    for (; *at; at += 2)
        if (!strcmp(at[0], name)) return at[1];
    return "";
}

static tl_status image(reader *r, const char *const *at)
{
    const char *name = attribute(at, "name");
    float w = 0, h = 0;
    if (!*name) return tl_sink_fail(r->s, line(r), "an <image> without a name");
    if ((r->picture = tl_sink_picture(r->s, name)) < 0) return TL_ENOMEM;
    (void)(tl_number(attribute(at, "width"), &w) && tl_number(attribute(at, "height"), &h));
    return tl_sink_describe(r->s, r->picture, NULL, (double)w, (double)h);
}

static tl_status corners(const reader *r, const char *const *at, tl_box *out)
{
    static const char *const names[] = { "xtl", "ytl", "xbr", "ybr" };
    float v[4], rotation = 0;
    if (*attribute(at, "rotation") && tl_number(attribute(at, "rotation"), &rotation) && rotation != 0)
        return tl_sink_fail(r->s, line(r), "a box of '%s' is rotated, which labels of detection cannot say",
                            attribute(at, "label"));
    for (int i = 0; i < 4; i++)
        if (!tl_number(attribute(at, names[i]), v + i))
            return tl_sink_fail(r->s, line(r), "'%.40s' is not a number, which %s has to be", attribute(at, names[i]),
                                names[i]);
    *out = (tl_box){ v[0], v[1], v[2], v[3] };
    return TL_OK;
}

/* "1,2;3,4": the box around the points. */
static tl_status around(const reader *r, const char *points, tl_box *out)
{
    *out = (tl_box){ INFINITY, INFINITY, -INFINITY, -INFINITY };
    for (const char *p = points; *p;) {
        float v[2];
        for (int k = 0; k < 2; k++) {
            char number[32];
            size_t n = strcspn(p, k ? ";" : ",");
            snprintf(number, sizeof number, "%.*s", n < sizeof number ? (int)n : 0, p);
            if (!tl_number(number, v + k)) return tl_sink_fail(r->s, line(r), "'%.40s' are not points", points);
            p += n + (p[n] != 0);
        }
        *out = (tl_box){ fminf(out->x1, v[0]), fminf(out->y1, v[1]), fmaxf(out->x2, v[0]), fmaxf(out->y2, v[1]) };
    }
    if (!isfinite(out->x1)) return tl_sink_fail(r->s, line(r), "a <polygon> without points");
    return TL_OK;
}

static tl_status object(reader *r, const char *const *at, bool polygon)
{
    tl_seen_object seen = { .picture = r->picture, .line = line(r) };
    const char *label = attribute(at, "label");
    if (r->picture < 0) return tl_sink_fail(r->s, line(r), "an object outside of any <image>");
    if (!*label) return tl_sink_fail(r->s, line(r), "an object without a label");
    TL_TRY(polygon ? around(r, attribute(at, "points"), &seen.o.box) : corners(r, at, &seen.o.box));
    TL_TRY(tl_sink_class(r->s, label, &seen.o.label));
    seen.o.occlusion = !strcmp(attribute(at, "occluded"), "1");
    return tl_sink_object(r->s, &seen, NULL);
}

/* Remember the first thing that went wrong; Expat calls no more, but for the end of an empty element. */
static void stop(reader *r, tl_status s)
{
    if (!s || r->status) return;
    r->status = s;
    XML_StopParser(r->xml, XML_FALSE);
}

static void XMLCALL on_start(void *ctx, const char *name, const char **at)
{
    reader *r = ctx;
    const char *const *a = (const char *const *)at;
    if (!strcmp(name, "image")) stop(r, image(r, a));
    else if (!strcmp(name, "track"))
        stop(r, tl_sink_fail(r->s, line(r), "tracks of a video are not read; export the labels as 'CVAT for images'"));
    else if (!strcmp(name, "box") || !strcmp(name, "polygon")) stop(r, object(r, a, *name == 'p'));
}

static void XMLCALL on_end(void *ctx, const char *name)
{
    if (!strcmp(name, "image")) ((reader *)ctx)->picture = -1;
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system, const char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    reader *r = ctx;
    stop(r, tl_sink_fail(r->s, line(r), "a document type declaration, which labels have no use for, is refused"));
}

static tl_status parse(reader *r, FILE *f)
{
    enum { PIECE = 1 << 16 };
    XML_SetUserData(r->xml, r);
    XML_SetElementHandler(r->xml, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
    for (bool last = false; !last;) {
        void *piece = XML_GetBuffer(r->xml, PIECE);
        TL_CHECK(piece, TL_ENOMEM, "out of memory");
        size_t n = fread(piece, 1, PIECE, f);
        TL_CHECK(!ferror(f), TL_EIO, "cannot read '%s': %s", r->s->file, strerror(errno));
        last = n < PIECE;
        if (XML_ParseBuffer(r->xml, (int)n, last)) continue;
        return r->status ? r->status : tl_sink_fail(r->s, line(r), "not XML: %s", XML_ErrorString(XML_GetErrorCode(r->xml)));
    }
    return r->status;
}

static tl_status read(tl_label_sink *s, const char *path, int picture)
{
    FILE *f = fopen(path, "rbe");
    TL_CHECK(f, TL_EIO, "cannot open '%s': %s", path, strerror(errno));
    reader r = { .s = s, .xml = XML_ParserCreate(NULL), .picture = -1 };
    tl_status status = r.xml ? parse(&r, f) : tl_fail(TL_ENOMEM, "out of memory");
    if (r.xml) XML_ParserFree(r.xml);
    fclose(f);
    (void)picture;
    return status;
}

static bool knows(char *head)
{
    const char *root = strstr(head, "<annotations");
    return root && strchr("> \t\r\n", root[sizeof "<annotations" - 1]);
}

static const char *const folders[] = { "annotations", "Annotations", "labels", NULL };
const tl_label_format tl_label_cvat = {
    .name = "cvat",
    .brief = "CVAT for images: one .xml file",
    .suffix = ".xml",
    .folders = folders,
    .files = TL_FILE_ONE,
    .knows = knows,
    .read = read,
};

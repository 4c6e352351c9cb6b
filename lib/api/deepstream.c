/* deepstream.c - configurations of DeepStream's nvinfer. SPDX-License-Identifier: MIT
 *
 * Keys and defaults: NVIDIA's DeepStream manual, "Gst-nvinfer". */
#include "deepstream.h"
#include "file.h"
#include <math.h>
#include <string.h>

#define RGB_255 "0.0039215697906911373" /* 1/255 as the original's configurations have it */

tl_status tl_deepstream_write(tl_arena *a, const char *model, tl_text *labels, tl_text *config)
{
    const char *slash = strrchr(model, '/'), *dir = slash ? tl_strndup(a, model, (size_t)(slash - model + 1)) : "./";
    TL_NEW(dir);
    const char *l = tl_text_end(labels), *c = tl_text_end(config);
    const char *lp = tl_path_join(a, dir, "labels.txt"), *cp = tl_path_join(a, dir, "nvinfer_config.txt");
    TL_NEW(l && c && lp && cp ? l : NULL);
    TL_TRY(tl_file_write(lp, l, strlen(l)));
    return tl_file_write(cp, c, strlen(c));
}

/* ---- DetectNet_v2 ---- */

static void key(tl_text *t, const char *name, float v)
{
    tl_textf(t, "%s=", name);
    tl_text_float(t, v);
    tl_textf(t, "\n");
}

static void property(tl_text *t, const char *model, int channels, const tl_cells *g, tl_cluster_kind kind)
{
    static const int mode[] = { [TL_DBSCAN] = 1, [TL_NMS] = 2, [TL_HYBRID] = 3 };
    tl_textf(t, "[property]\nnet-scale-factor=" RGB_255 "\nmodel-color-format=%d\nonnx-file=%s\nlabelfile-path=labels.txt\n",
             channels == 1 ? 2 : 0, tl_path_base(model));
    tl_textf(t, "infer-dims=%d;%d;%d\nmaintain-aspect-ratio=0\nbatch-size=1\nnetwork-mode=0\nnetwork-type=0\n", channels, g->in_h, g->in_w);
    tl_textf(t, "num-detected-classes=%d\ninterval=0\ngie-unique-id=1\noutput-blob-names=output_cov/Sigmoid;output_bbox/BiasAdd\n",
             g->classes);
    tl_textf(t, "cluster-mode=%d\n", mode[kind]);
}

/* A name and a line end: the only one, whatever is in the name. */
static void line(tl_text *t, const char *name)
{
    for (; *name; name++) tl_text_add(t, *name == '\n' || *name == '\r' ? " " : name, 1);
    tl_textf(t, "\n");
}

/* A cluster of the original's DBSCAN is cells whose coverages add up to min_samples, which so many cells at least must be: no
 * coverage is above 1. */
static void class_attributes(tl_text *t, const char *name, int label, const tl_clustering *c, tl_cluster_kind kind)
{
    const float least = fmaxf(1, (float)c->min_samples);
    const bool nms = kind == TL_NMS;
    tl_textf(t, "\n# ");
    line(t, name);
    tl_textf(t, "[class-attrs-%d]\n", label);
    key(t, "pre-cluster-threshold", nms ? tl_nms_least(c) : c->coverage);
    if (!nms) {
        key(t, "eps", c->eps);
        key(t, "minBoxes", least);
        key(t, "dbscan-min-score", least);
    }
    if (kind != TL_DBSCAN) key(t, "nms-iou-threshold", c->nms_iou);
    if (c->min_height > 0) key(t, "detected-min-h", floorf(c->min_height) + 1);
}

tl_status tl_deepstream_detectnet_can(const tl_cells *g)
{
    TL_CHECK(g->scale == 35 && g->offset == 0.5f, TL_EUNSUP,
             "DeepStream reads boxes of a DetectNet_v2 in units of 35 pixels with an offset of 0.5 (model_config.objective_set.bbox); "
             "this model's are %g and %g: export it with its postprocessing instead", (double)g->scale, (double)g->offset);
    return TL_OK;
}

tl_status tl_deepstream_detectnet(tl_arena *a, const char *model, const char *const *names, int channels, const tl_cells *g,
                                  const tl_clustering *c)
{
    static const char *const kinds[] = { [TL_DBSCAN] = "DBSCAN", [TL_NMS] = "NMS", [TL_HYBRID] = "HYBRID" };
    tl_text labels = tl_text_new(a), config = tl_text_new(a);
    TL_TRY(tl_deepstream_detectnet_can(g));
    property(&config, model, channels, g, c[0].kind);
    for (int k = 0; k < g->classes; k++) {
        line(&labels, names[k]);
        class_attributes(&config, names[k], k, &c[k], c[0].kind);
        if (c[k].kind != c[0].kind)
            tl_textf(&config, "# its spec asks for %s; nvinfer clusters all classes as the first one\n", kinds[c[k].kind]);
    }
    return tl_deepstream_write(a, model, &labels, &config);
}

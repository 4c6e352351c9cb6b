/* classification_export.c - a classifier for other programs. SPDX-License-Identifier: MIT */
#include "deepstream.h"
#include "export_task.h"

/* What DeepStream's nvinfer needs to prepare pictures in the same way. */
static tl_status deepstream(const tl_export *e)
{
    const tl_model *m = e->model;
    tl_shape s = m->g->node[m->image.i].s;
    tl_text labels = tl_text_new(e->a), conf = tl_text_new(e->a);
    bool bgr = s.c == 3 && m->norm.order[0] == 2;
    for (int i = 0; i < m->classes.n; i++)
        tl_textf(&labels, "%s%s", i ? ";" : "", ((const char **)m->classes.at)[i]);
    tl_textf(&labels, "\n");
    tl_textf(&conf, "[property]\nnet-scale-factor=%.9g\noffsets=", (double)m->norm.rstd[0]);
    for (int c = 0; c < s.c; c++) tl_textf(&conf, "%s%.9g", c ? ";" : "", (double)m->norm.mean[c]);
    tl_textf(&conf,
             "\ninfer-dims=%d;%d;%d\nmodel-color-format=%d\nnetwork-type=1\nnum-detected-classes=%"
             "d\nlabelfile-path=labels.txt\nonnx-file=%s\n",
             s.c, s.h, s.w, s.c == 1 ? 2 : bgr, m->classes.n, tl_path_base(e->out->output_file));
    for (int c = 1; c < s.c; c++)
        if (m->norm.rstd[c] != m->norm.rstd[0]) {
            tl_textf(&conf, "# nvinfer knows one scale only; this model has one per channel: "
                            "export --with-preprocessing is exact\n");
            break;
        }
    return tl_deepstream_write(e->a, e->out->output_file, &labels, &conf);
}

tl_status tl_classification_export(tl_arena *a, const tl_export_opts *o, const tl_listener *l, tl_export_summary *out)
{
    tl_export e = { .a = a, .o = o, .l = l, .task = "classification", .out = out, .deepstream = deepstream };
    TL_TRY(tl_export_open(&e));
    TL_TRY(tl_classes_of(a, e.whole, o->classmap_json, &e.model->classes));
    return tl_export_write(&e);
}

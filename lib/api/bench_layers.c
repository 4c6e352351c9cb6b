/* bench_layers.c - tlc bench layers. SPDX-License-Identifier: MIT */
#include "layers.h"
#include "api.h"

static tl_status open_net(tl_arena *a, const tl_layers_opts *o, tl_model **m)
{
    tl_model_conf c = { .head = tl_head_at(0), .conf = { .bn = true, .pooling = true, .alpha = o->alpha }, .c = 3, .h = 224, .w = 224,
                        .classes = 1000, .seed = 1 };
    if (o->model) return tl_model_open(a, o->model, o->key, m);
    TL_CHECK(o->arch, TL_EARG, "say which network: --arch, or --model");
    TL_TRY(tl_backbone_find(o->arch, o->n_layers, &c.backbone));
    if (o->size) c.h = c.w = o->size;
    return tl_model_build(a, &c, m);
}

static tl_status plan_net(tl_arena *a, tl_model *m, const tl_layers_opts *o, tl_plan **p)
{
    tl_graph *folded;
    tl_vals target;
    if (!o->train) {
        TL_TRY(tl_fold(m->g, a, &folded));
        return tl_plan_new(folded, a, &(tl_plan_conf){ .batch = o->batch_size, .constant = true, .amp = o->use_amp }, p);
    }
    tl_val loss = tl_model_loss(m, &target);
    const tl_plan_conf step = { .batch = o->batch_size, .train = true, .loss = loss, .amp = o->use_amp };
    return tl_plan_new(m->g, a, &step, p);
}

tl_status tl_bench_layers(tl_arena *a, const tl_layers_opts *o, tl_layers_summary *out)
{
    tl_model *m;
    tl_plan *p;
    tl_layers_sum sum;
    TL_TRY(open_net(a, o, &m));
    TL_TRY(plan_net(a, m, o, &p));
    tl_tensor x = tl_plan_value(p, m->image);
    tl_rng r = tl_rng_at(1, 0, 0, 0);
    for (size_t i = 0; i < tl_count(x.s); i++) x.f[i] = tl_uniform_in(&r, -1, 1);
    TL_TRY(tl_layers_measure(a, p, o->runs, &sum, &out->text));
    out->ms = sum.ms;
    out->macs = sum.macs;
    out->bytes = p->bytes;
    return TL_OK;
}

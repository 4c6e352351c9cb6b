/* test_match.c - other programs' weights in our networks. SPDX-License-Identifier: MIT
 *
 * Names, sizes and answers are PyTorch's and Keras': tools/make_import_goldens.py and make_keras_runs.py. */
#include "image.h"
#include "import/statedict.h"
#include "importing.h"
#include "match.h"

#define PICTURE "examples/vehicles/test/ambulance/75738d3d8b999eb0_1.jpg"

/* ---- The weights: make_import_goldens.py has the same formula ---- */

static float *draw(tl_arena *a, const char *name, const tl_array *x)
{
    uint32_t seed = 2166136261u;
    size_t n = tl_array_count(x);
    const char *dot = strrchr(name, '.');
    bool positive = !strcmp(dot, ".weight") || !strcmp(dot, ".running_var");
    float high = positive ? 1.25f : 0.25f, low = positive ? 0.5f : -0.25f, *f = tl_new(a, float, n);
    if (x->rank > 1) low = -(high = (float)sqrt(6.0 / ((double)n / (double)x->dim[0])));
    for (const char *s = name; *s; s++) seed = (seed ^ (uint8_t)*s) * 16777619u;
    for (size_t i = 0; f && i < n; i++) {
        uint32_t h = ((uint32_t)i + seed) * 0x9E3779B1u;
        h = (h ^ h >> 15) * 0x85EBCA77u;
        h = (h ^ h >> 13) * 0xC2B2AE3Du;
        h ^= h >> 16;
        f[i] = low + (high - low) * ((float)(h >> 8) * 0x1p-24f);
    }
    return f;
}

/* "NAME:64,3,7,7" */
static tl_array read_array(tl_arena *a, char *word)
{
    char *colon = strchr(word, ':');
    tl_array x = { .name = word, .type = TL_EL_F32 };
    assert_non_null(colon);
    for (char *s = colon; *s; x.rank++) x.dim[x.rank] = strtoul(s + 1, &s, 10);
    *colon = 0;
    tl_array_pack(&x);
    x.data = draw(a, word, &x);
    assert_non_null(x.data);
    return x;
}

/* The state dict of the network, as if read from a file. The line is used up. */
static void open_weights(tl_arena *a, char *line, tl_foreign *out)
{
    char *rest;
    tl_list arrays = { 0, NULL };
    strtok_r(line, "\t\n", &rest);
    for (char *word; (word = strtok_r(NULL, "\t\n", &rest));) {
        tl_array *x = tl_add(a, &arrays, tl_array);
        assert_non_null(x);
        *x = read_array(a, word);
    }
    *out = (tl_foreign){ .format = "pytorch", .note = "" };
    ok(tl_statedict(a, &arrays, SIZE_MAX, out));
}

/* The line of a golden file that begins with the name. */
static char *line_of(tl_arena *a, const char *file, const char *name)
{
    tl_bytes f;
    ok(tl_file_read(a, tl_printf(a, IMPORT_DATA "%s", file), 0, &f));
    for (char *s = (char *)(uintptr_t)f.p; *s;) {
        size_t n = strcspn(s, "\n");
        if (!strncmp(s, name, strlen(name)) && s[strlen(name)] == '\t') return tl_strndup(a, s, n);
        s += n + (s[n] != 0);
    }
    fail_msg("%s is not in %s", name, file);
    abort();
}

static tl_tensor run(tl_arena *a, const tl_model *m)
{
    tl_image photo;
    tl_plan *p;
    const tl_plan_conf c = { .batch = 1, .constant = true, .keep = &m->raw, .nkeep = 1 };
    ok(tl_image_load(a, PICTURE, 3, (tl_size){ 0, 0 }, &photo));
    ok(tl_plan_new(m->g, a, &c, &p));
    tl_tensor x = tl_plan_value(p, m->image);
    for (int y = 0; y < 224; y++)
        for (int i = 0; i < 3 * 224; i++)
            x.f[y * 3 * 224 + i] = ((float)photo.p[y * 3 * photo.w + i] - 127.5f) / 63.75f;
    ok(tl_plan_forward(p));
    return tl_plan_value(p, m->raw);
}

static void guess(tl_arena *a, const tl_foreign *f, tl_model_conf *c, tl_model **m, tl_transfer *report)
{
    const tl_scheme *scheme = NULL;
    *c = (tl_model_conf){ .c = 3, .h = 224, .w = 224, .seed = 1 };
    ok(tl_guess(f, NULL, 0, c, &scheme));
    tl_model_conf full = *c;
    if (!full.classes) full.classes = 1;
    ok(tl_model_build(a, &full, m));
    ok(tl_match(*m, f, &(tl_match_opts){ .exact = true, .all = true, .scheme = scheme }, report));
}

/* ---- The tests ---- */

static const tl_backbone *small_backbone(void)
{
    int i = 0;
    while (strcmp(tl_backbone_at(i)->arch, "mobilenet_v1")) i++;
    return tl_backbone_at(i);
}

typedef struct { const char *name, *ours; int classes; } network;

static const network of_pytorch[] = {
    { "torchvision.resnet18", "resnet18", 10 },         { "torchvision.resnet34", "resnet34", 10 },
    { "torchvision.resnet50", "resnet50", 10 },         { "torchvision.resnet101", "resnet101", 10 },
    { "torchvision.vgg16", "vgg16", 0 },                { "torchvision.vgg19", "vgg19", 0 },
    { "torchvision.vgg16_bn", "vgg16", 0 },             { "torchvision.googlenet", "googlenet", 10 },
    { "torchvision.mobilenet_v2", "mobilenet_v2", 10 }, { "torchvision.squeezenet1_0", "squeezenet", 10 },
    { "torchvision.efficientnet_b0", "efficientnet_b0", 10 },
    { "timm.mobilenetv1_100", "mobilenet_v1", 10 },     { "timm.mobilenetv2_100", "mobilenet_v2", 10 },
    { "timm.efficientnet_b0", "efficientnet_b0", 10 },  { "timm.efficientnet_lite0", "efficientnet_lite0", 10 },
};

static const network of_keras[] = {
    { "keras.MobileNet", "mobilenet_v1", 10 },          { "keras.MobileNetV2", "mobilenet_v2", 10 },
    { "keras.ResNet50", "resnet50", 10 },               { "keras.VGG16", "vgg16", 0 },
    { "original.resnet18", "resnet18", 10 },            { "original.resnet50", "resnet50", 10 },
    { "original.vgg16", "vgg16", 10 },                  { "original.googlenet", "googlenet", 10 },
    { "original.mobilenet_v1", "mobilenet_v1", 10 },    { "original.mobilenet_v2", "mobilenet_v2", 10 },
    { "original.squeezenet", "squeezenet", 10 },        { "original.darknet19", "darknet19", 10 },
    { "original.efficientnet_b0", "efficientnet_b0", 10 },
};

/* Found by its names alone, the network answers as in the other program. Without a head, its last map does. */
static void answers_as(const network *n, const char *weights, const char *answers)
{
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    tl_model_conf c;
    tl_model *m;
    tl_transfer report;
    open_weights(a, line_of(a, weights, n->name), &f);
    guess(a, &f, &c, &m, &report);
    assert_string_equal(m->arch, n->ours);
    assert_int_equal(c.classes, n->classes);
    assert_int_equal(report.skipped + (n->classes ? report.fresh : 0), 0);
    assert_null(strstr(report.text, "not used"));
    for (int k = 0; !c.classes && k < m->g->n; k++)
        if (m->g->node[k].block >= 0) m->raw.i = m->answer.i = m->g->output = k;
    double d = golden_difference(run(a, m), line_of(a, answers, n->name), n->name);
    if (!(d >= 0 && d < 1e-5)) fail_msg("%s: differs by %g", n->name, d);
    tl_arena_free(a);
}

static void state_dicts_answer_as_in_pytorch(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(of_pytorch); i++) answers_as(&of_pytorch[i], "state_dicts.tsv", "state_dicts_run.tsv");
}

static void keras_networks_answer_as_in_keras(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(of_keras); i++) answers_as(&of_keras[i], "keras_nets.tsv", "keras_nets_run.tsv");
}

static tl_foreign_tensor *tensor_named(const tl_foreign *f, const char *name)
{
    tl_foreign_tensor *t = f->tensor.at;
    for (int i = 0; i < f->tensor.n; i++)
        if (!strcmp(t[i].name, name)) return t + i;
    fail_msg("there is no tensor %s", name);
    return NULL;
}

/* Into the network of a spec: another head, shortcuts with projections, biases; the maps keep their sizes. */
static void weights_fit_other_forms(void **state)
{
    static const tl_backbone_conf forms[] = {
        { .bn = true, .pooling = true, .all_projections = true },
        { .bn = true, .pooling = true, .bias = true },
        { .bn = true },
    };
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    tl_model_conf c;
    tl_model *exact;
    tl_transfer r;
    open_weights(a, line_of(a, "state_dicts.tsv", "torchvision.resnet18"), &f);
    guess(a, &f, &c, &exact, &r);
    for (int i = 0; i < TL_LEN(forms); i++) {
        tl_model *m;
        c.conf = forms[i];
        c.classes = 10;
        ok(tl_model_build(a, &c, &m));
        ok(tl_match(m, &f, &(tl_match_opts){ .seed = 1 }, &r));
        assert_int_equal(r.skipped, 0);
        assert_int_equal(r.fresh, forms[i].pooling ? 0 : 2); /* a shortcut of stride 2 where theirs has none */
        assert_true((difference(run(a, exact), run(a, m)) < 1e-5) == forms[i].pooling);
        c.classes = 7;
        ok(tl_model_build(a, &c, &m));
        ok(tl_match(m, &f, &(tl_match_opts){ .seed = 1 }, &r));
        assert_int_equal(r.skipped, 1);
        assert_non_null(strstr(r.text, "7x512x1x1 here, 10x512x1x1 in the file (a head of another size starts fresh)"));
    }
    tl_arena_free(a);
}

/* A bias in front of batch norm, and batch norm without its scale. */
static void a_bias_moves_into_batch_norm(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    tl_model_conf c;
    tl_model *m;
    tl_transfer r;
    open_weights(a, line_of(a, "state_dicts.tsv", "timm.mobilenetv1_100"), &f);
    float bias[32];
    fill(bias, 32, 3);
    tl_foreign_tensor *t = tl_add(a, &f.tensor, tl_foreign_tensor);
    *t = (tl_foreign_tensor){
        .layer = "conv_stem", .name = "conv_stem.bias", .role = TL_ROLE_BIAS, .dims = { { 32, 1, 1, 1 } }, .at = bias
    };
    tensor_named(&f, "bn1.weight")->role = TL_ROLE_OTHER;
    guess(a, &f, &c, &m, &r);
    const tl_node *bn = &m->g->node[tl_graph_find(m->g, "conv1_bn")];
    const float *mean = tensor_named(&f, "bn1.running_mean")->at;
    for (int k = 0; k < 32; k++) {
        assert_true(bn->p[0].w[k] == 1);
        assert_true(bn->p[2].w[k] == mean[k] - bias[k]);
    }
    tl_arena_free(a);
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_foreign f;
    tl_model *m;
    tl_transfer r;
    const tl_scheme *s;
    tl_model_conf c = { .c = 3, .h = 224, .w = 224 };
    open_weights(a, line_of(a, "state_dicts.tsv", "torchvision.resnet18"), &f);
    tensor_named(&f, "layer3.0.conv1.weight")->layer = "layer3.0.convolution1";
    assert_int_equal(tl_guess(&f, NULL, 0, &c, &s), TL_EDATA);
    assert_non_null(
        strstr(tl_errmsg(),
               "the nearest is resnet18 as named by torchvision and timm, of which 40 layers match, 1 are missing"));
    ok(tl_guess(&f, "resnet", 18, &c, &s));
    ok(tl_model_build(a, &c, &m));
    ok(tl_match(m, &f, &(tl_match_opts){ .exact = true, .scheme = s }, &r));
    assert_int_equal(r.fresh, 1);
    assert_non_null(strstr(r.text, "of the file, not used: layer3.0.convolution1"));

    c.backbone = small_backbone();
    ok(tl_model_build(a, &c, &m));
    for (int i = 0; i < f.tensor.n; i++) ((tl_foreign_tensor *)f.tensor.at)[i].layer = "something.else";
    assert_int_equal(tl_match(m, &f, &(tl_match_opts){ .exact = true }, &r), TL_EDATA);
    assert_non_null(strstr(tl_errmsg(), "no layer of the file matches this network (mobilenet_v1)"));
    assert_non_null(strstr(tl_errmsg(), "something.else"));
    tl_arena_free(a);
}

/* The model under names that say nothing, batch norm folded away. */
static tl_model *anonymous(tl_arena *a, const tl_model *m, bool folded)
{
    tl_graph *g;
    tl_model *n;
    if (folded) ok(tl_fold(m->g, a, &g));
    else ok(tl_graph_copy(m->g, a, &g));
    ok(tl_model_with(m, a, g, &n));
    for (int i = 0; i < g->n; i++) g->node[i].name = tl_printf(a, "n%d", i);
    return n;
}

/* Every backbone takes the weights of its nameless twin, node by node. */
static void networks_match_by_place(void **state)
{
    (void)state;
    for (int i = 0; tl_backbone_at(i); i++)
        for (int folded = 0; folded < 2; folded++) {
            tl_arena *a = tl_arena_new();
            const tl_backbone *b = tl_backbone_at(i);
            const tl_backbone_conf conf = { .bn = strcmp(b->arch, "squeezenet") };
            tl_model *m, *fresh;
            tl_tensor want, got;
            tl_transfer r;
            tl_foreign f = { .format = "onnx", .note = "" };
            ok(random_model(a, b, &conf, 64, &m));
            m->answer = m->raw;
            f.model = anonymous(a, m, folded);
            const tl_model_conf c = { .backbone = b,
                                      .conf = conf,
                                      .head = tl_head_at(0),
                                      .c = 3,
                                      .h = 64,
                                      .w = 64,
                                      .classes = 3,
                                      .own_head = !strcmp(b->arch, "squeezenet"),
                                      .seed = 9 };
            ok(tl_model_build(a, &c, &fresh));
            ok(tl_match(fresh, &f, &(tl_match_opts){ .exact = true, .all = true }, &r));
            char name[32];
            if (r.fresh || r.skipped) fail_msg("%s: %s", tl_backbone_name(b, name), r.text);
            fresh->g->output = fresh->raw.i;
            ok(answer(a, m->g, 1, &want));
            ok(answer(a, fresh->g, 1, &got));
            double d = difference(want, got);
            if (!(d < 1e-4)) fail_msg("%s: differs by %g", tl_backbone_name(b, name), d);
            tl_arena_free(a);
        }
}

/* ---- Bring your own model ---- */

static void a_network_gets_another_head(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    tl_model *m, *mine;
    tl_tensor want, got;
    const tl_backbone_conf conf = { .bn = true, .alpha = 0.25f };
    tl_model_conf c = {
        .backbone = &tl_byom_backbone, .head = tl_head_at(0), .c = 3, .h = 64, .w = 64, .classes = 5, .seed = 2
    };
    ok(random_model(a, small_backbone(), &conf, 64, &m));
    tl_model *other = anonymous(a, m, true);
    ok(tl_byom_build(a, other, NULL, &c, &mine));
    int cut = 0, trunk = 0;
    for (int i = 0; i < mine->g->n; i++) cut = mine->g->node[i].block >= 0 ? i : cut;
    for (int i = 0; i < m->g->n; i++) trunk = m->g->node[i].block >= 0 ? i : trunk;
    assert_int_equal(mine->g->node[mine->raw.i].s.c, 5);
    assert_int_equal(mine->g->node[cut].block, 5); /* stride 32 */
    assert_int_equal(mine->g->node[1].block, 1);
    m->g->output = trunk;
    mine->g->output = cut;
    ok(answer(a, m->g, 1, &want));
    ok(answer(a, mine->g, 1, &got));
    assert_true(difference(want, got) < 1e-5);

    c.h = c.w = 96; /* another picture */
    ok(tl_byom_build(a, other, mine->g->node[cut - 4].name, &c, &mine));
    assert_int_equal(mine->g->node[mine->image.i].s.h, 96);
    assert_int_equal(tl_byom_build(a, other, "m12", &c, &mine), TL_ESPEC);
    assert_non_null(strstr(tl_errmsg(), "the network has no node 'm12'; did you mean 'n12'?"));
    assert_int_equal(tl_byom_build(a, other, other->g->node[0].name, &c, &mine), TL_ESPEC);
    c.c = 1;
    assert_int_equal(tl_byom_build(a, other, NULL, &c, &mine), TL_ESPEC);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_dicts_answer_as_in_pytorch), cmocka_unit_test(keras_networks_answer_as_in_keras),
        cmocka_unit_test(weights_fit_other_forms),
        cmocka_unit_test(a_bias_moves_into_batch_norm),     cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(networks_match_by_place),          cmocka_unit_test(a_network_gets_another_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

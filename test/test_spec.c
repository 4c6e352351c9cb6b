/* test_spec.c - the classification spec, in the forms of TLT 2.0 and 3.0. SPDX-License-Identifier: MIT
 *
 * The sample files hold the fields and values of the original's documented samples. */
#include "classification.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ALL (TL_NEEDS_MODEL | TL_NEEDS_TRAIN | TL_NEEDS_EVAL)
#define OLD_FORM "test/data/specs/squeezenet_2_0.txt"
#define NEW_FORM "test/data/specs/resnet_3_0.txt"

static const tl_classification_spec *load(tl_arena *a, const char *path, const char *text, const char **warnings)
{
    const tl_classification_spec *s = NULL;
    if (tl_classification_spec_load(a, path, text, NULL, 0, text ? 0 : ALL, &s, warnings)) fail_msg("%s", tl_errmsg());
    return s;
}

static void old_form(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_classification_spec *s = load(a, OLD_FORM, NULL, &w);
    assert_string_equal(w, "");
    assert_string_equal(s->model->arch, "squeezenet");
    assert_int_equal(s->c * 1000000 + s->h * 1000 + s->w, 3224224);
    assert_int_equal(s->model->freeze_blocks.n, 2);
    assert_int_equal(((int *)s->model->freeze_blocks.at)[1], 1);
    assert_true(s->bn_momentum == 0.9f && s->bn_epsilon == 1e-5f);
    assert_int_equal(s->train->batch_size_per_gpu, 256);
    assert_int_equal(s->train->n_epochs, 80);
    assert_string_equal(s->train->preprocess_mode, "caffe");
    assert_false(s->default_recipe);
    assert_true(s->optimizer.kind == TL_SGD && s->optimizer.momentum == 0.9f && !s->optimizer.nesterov);
    assert_true(s->regularizer.kind == TL_REG_L2 && s->regularizer.weight == 5e-5f);
    assert_true(s->regularizer.conv && s->regularizer.dense && !s->regularizer.depthwise);
    const tl_schedule *lr = &s->schedule;
    assert_true(lr->kind == TL_LR_SOFT_ANNEAL && lr->base == 0.05f && lr->soft_start == 0.056f && lr->divider == 10);
    assert_int_equal(lr->n_points, 3);
    assert_true(lr->points[0] == 0.3f && lr->points[1] == 0.6f && lr->points[2] == 0.8f);
    assert_string_equal(s->eval->model_path, "/results/weights/squeezenet_080.tlt");
    assert_int_equal(s->eval->top_k, 3);
    assert_null(s->train->optimizer_2_0);
    assert_null(s->train->lr_config->scheduler);
    tl_arena_free(a);
}

static void new_form(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const char *w;
    const tl_classification_spec *s = load(a, NEW_FORM, NULL, &w);
    assert_string_equal(w, "warning: accepted, but without effect here: "
                           "train_config.model_parallelism, train_config.visualizer\n");
    assert_int_equal(s->model->n_layers, 18);
    assert_int_equal(s->model->resize_interpolation_method, 1);
    assert_string_equal(s->model->activation->activation_type, "relu");
    assert_true(s->model->all_projections && !s->model->freeze_bn);
    assert_true(s->train->label_smoothing == 0.1f && s->train->mixup_alpha == 0.2f);
    assert_true(s->optimizer.kind == TL_SGD && s->optimizer.momentum == 0.9f);
    assert_true(s->schedule.kind == TL_LR_COSINE && s->schedule.base == 0.04f && s->schedule.min_ratio == 0.001f);
    assert_true(s->has_mean && s->mean[0] == 103.9f && s->mean[1] == 116.8f && s->mean[2] == 123.7f);
    assert_int_equal(s->train->random_seed, 7);
    assert_true(s->train->max_unreadable == 0.01f && s->train->cache_mb == 1024);
    assert_true(s->eval->enable_center_crop);
    tl_arena_free(a);
}

/* What is not said: our recipe, or the missing half of an explicit one. */
static void completed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool recipe;
        tl_optimizer_kind optimizer;
        tl_schedule_kind schedule;
        float momentum, base;
        int n_layers;
    } cases[] = {
        { "", true, 0, 0, 0, 0, 0 },
        { "model_config { arch: 'resnet' } train_config { n_epochs: 3 }", true, 0, 0, 0, 0, 18 },
        { "train_config { optimizer { adam { lr: 0.5 } } }", false, TL_ADAM, TL_LR_SOFT_ANNEAL, 0,
          0.5f, 0 },
        { "train_config { optimizer: 'rmsprop' }", false, TL_RMSPROP, TL_LR_SOFT_ANNEAL, 0, 0.001f,
          0 },
        { "train_config { lr_config { step { learning_rate: .25 } } }", false, TL_SGD, TL_LR_STEP,
          0.9f, 0.25f, 0 },
        { "train_config { optimizer: 'sgd' lr_config { scheduler: 'step' learning_rate: 0.006 "
          "step_size: 10 gamma: 0.1 } }",
          false, TL_SGD, TL_LR_STEP, 0.9f, 0.006f, 0 },
        { "train_config { optimizer: 'adam' lr_config { scheduler: 'cosine' learning_rate: .5 "
          "min_lr_ratio: 0.1 } }",
          false, TL_ADAM, TL_LR_COSINE, 0, 0.5f, 0 },
        { "train_config { optimizer { sgd { } } lr_config { cosine { } } }", false, TL_SGD,
          TL_LR_COSINE, 0, 0.01f, 0 },
    };
    for (int i = 0; i < TL_LEN(cases); i++) {
        tl_arena *a = tl_arena_new();
        const char *w;
        const tl_classification_spec *s = load(a, "t", cases[i].text, &w);
        assert_string_equal(w, "");
        assert_int_equal(s->default_recipe, cases[i].recipe);
        assert_int_equal(s->optimizer.kind, cases[i].optimizer);
        assert_int_equal(s->schedule.kind, cases[i].schedule);
        assert_true(s->optimizer.momentum == cases[i].momentum);
        assert_true(s->schedule.base == cases[i].base);
        assert_int_equal(s->model->n_layers, cases[i].n_layers);
        tl_arena_free(a);
    }
}

/* ---- Errors and warnings, whole texts ---- */
#define M(inside) "model_config {\n" inside "\n}"
#define T(inside) "train_config {\n" inside "\n}"
static const struct { const char *text; unsigned needs; const char *args[2], *message;
} errors[] = {
    { "",
      ALL,
      { NULL },
      "t:1:1: model_config.arch is required: the backbone\n"
      "t:1:1: train_config.train_dataset_path is required: folder of training pictures, one folder "
      "per class\n"
      "t:1:1: train_config.val_dataset_path is required: folder of validation pictures, the same "
      "classes\n"
      "t:1:1: eval_config.eval_dataset_path is required: folder of test pictures, one folder per "
      "class\n"
      "t:1:1: eval_config.model_path is required: model to evaluate" },
    { "model_config { arch: \"resnt\" }\ntrain_config { train_dataset_path: \"\" val_dataset_path: "
      "3 }\neval_config { model_path: 'a' }",
      ALL,
      { NULL },
      "t:1:22: arch: expected one of \"resnet\", \"vgg\", \"alexnet\", \"googlenet\", "
      "\"mobilenet_v1\", \"mobilenet_v2\", \"squeezenet\", \"darknet\", \"cspdarknet\", "
      "\"efficientnet_b0\", \"efficientnet_b1\", \"efficientnet_lite0\", \"onnx\", found resnt; did you mean 'resnet'? (the "
      "backbone)\n"
      "t:2:16: train_config.train_dataset_path is required: folder of training pictures, one "
      "folder per class\n"
      "t:2:57: val_dataset_path: expected a string in quotes, found 3 (folder of validation "
      "pictures, the same classes)\n"
      "t:3:13: eval_config.eval_dataset_path is required: folder of test pictures, one folder per "
      "class" },
    { M("arch: \"resnet\" n_layers: 20 freeze_blocks: 7 freeze_blocks: [0, 5]"),
      0,
      { NULL },
      "t:2:16: n_layers: expected one of 10, 18, 34, 50, 101 for resnet, found 20\n"
      "t:2:29: freeze_blocks: resnet has the blocks 0 to 4, found 7\n"
      "t:2:29: freeze_blocks: resnet has the blocks 0 to 4, found 5" },
    { M("arch: \"vgg\" n_layers: 16 freeze_blocks: 0"),
      0,
      { NULL },
      "t:2:26: freeze_blocks: vgg has the blocks 1 to 5, found 0" },
    { M("input_image_size: \"3,224\""),
      0,
      { NULL },
      "t:2:1: input_image_size: expected \"C,H,W\" with C 1 or 3 and H, W at least 16, as in "
      "\"3,224,224\", found \"3,224\"" },
    { M("input_image_size: \"2,224,224\""),
      0,
      { NULL },
      "t:2:1: input_image_size: expected \"C,H,W\" with C 1 or 3 and H, W at least 16, as in "
      "\"3,224,224\", found \"2,224,224\"" },
    { M("input_image_size: \"3,224,15\""),
      0,
      { NULL },
      "t:2:1: input_image_size: expected \"C,H,W\" with C 1 or 3 and H, W at least 16, as in "
      "\"3,224,224\", found \"3,224,15\"" },
    { M("input_image_size: \"3x224x224\""),
      0,
      { NULL },
      "t:2:1: input_image_size: expected a whole number from 1 to 16384, found 3x224x224 "
      "(channels, height, width)" },
    { M("activation { }\nbyom_model: \"a.tltb\"\nresize_interpolation_method: BILINAER"),
      0,
      { NULL },
      "t:2:12: activation: 'activation_type' is missing\n"
      "t:3:1: byom_model: expected arch: \"onnx\" with it\n"
      "t:4:30: resize_interpolation_method: expected one of BILINEAR, BICUBIC, found BILINAER; did "
      "you mean 'BILINEAR'? (how pictures are resized)" },
    { M("batch_norm_config { momentum: 1.5 epsilon: 0 }\ndropout: 1"),
      0,
      { NULL },
      "t:2:31: momentum: expected a number from 0 to 1, found 1.5 (share of the running statistics "
      "that each batch keeps)\n"
      "t:2:44: epsilon: expected a number from 1e-12 to 1, found 0 (added to the variance)\n"
      "t:3:10: dropout: expected a number from 0 to 0.99, found 1 (share of features dropped "
      "before the classifier while training)" },
    { T("n_epoch: 3\nbatch_size_per_gpu: 0\nlabel_smoothing: 1\nmixup_alpha: -1\npreprocess_mode: "
        "\"cafe\"\nuse_bias: true"),
      0,
      { NULL },
      "t:2:1: train_config has no field 'n_epoch'; did you mean 'n_epochs'?\n"
      "t:3:21: batch_size_per_gpu: expected a whole number from 1 to 65536, found 0 (pictures in a "
      "training step)\n"
      "t:4:18: label_smoothing: expected a number from 0 to 0.99, found 1 (share of each target "
      "spread over all classes; real here, while the original reads it and does nothing)\n"
      "t:5:14: mixup_alpha: expected a number from 0 to 100, found -1 (mix pairs of pictures by "
      "Beta(alpha, alpha); 0: do not)\n"
      "t:6:18: preprocess_mode: expected one of \"caffe\", \"torch\", \"tf\", found cafe; did you "
      "mean 'caffe'? (how pixels become numbers; must be as in the pretrained model)\n"
      "t:7:1: train_config has no field 'use_bias'; it belongs to model_config" },
    { T("optimizer { }\nlr_config { }"),
      0,
      { NULL },
      "t:2:1: optimizer: expected one of sgd, adam, rmsprop in it\n"
      "t:3:1: lr_config: expected one of step, soft_anneal, cosine in it" },
    { T("optimizer { sgd { momentum: 1 } adam { } }"),
      0,
      { NULL },
      "t:2:29: momentum: expected a number from 0 to 0.9999, found 1 (share of the last step that "
      "is kept)\n"
      "t:2:33: optimizer: 'adam' excludes 'sgd' (given in line 2); choose one of them" },
    { T("optimizer: \"SGD\"\noptimizer { sgd { } }"),
      0,
      { NULL },
      "t:2:12: optimizer: expected one of \"sgd\", \"adam\", \"rmsprop\", found SGD; did you mean "
      "'sgd'? (the optimizer's name; its rate is in lr_config)" },
    { T("optimizer { adam { beta_1: 1 beta_2: -1 } }"),
      0,
      { NULL },
      "t:2:28: beta_1: expected a number from 0 to 0.9999, found 1 (decay of the mean gradient)\n"
      "t:2:38: beta_2: expected a number from 0 to 0.999999, found -1 (decay of the mean squared "
      "gradient)" },
    { T("lr_config { soft_anneal { soft_start: 0.4 annealing_points: [0.3, 0.8, 0.6, 1.5] } }"),
      0,
      { NULL },
      "t:2:27: soft_start: expected less than the first of annealing_points, 0.3, found 0.4\n"
      "t:2:43: annealing_points: expected ascending numbers, found 0.6 after 0.8\n"
      "t:2:77: annealing_points: expected a number from 0 to 1, found 1.5 (shares of the training "
      "at which the rate is divided)" },
    { T("lr_config { soft_anneal { soft_start: 0.4 annealing_points: [0.3, 0.8, 0.6] } }"),
      0,
      { NULL },
      "t:2:27: soft_start: expected less than the first of annealing_points, 0.3, found 0.4\n"
      "t:2:43: annealing_points: expected ascending numbers, found 0.6 after 0.8" },
    { T("lr_config {\n  scheduler: \"soft_anneal\"\n  soft_start: 0.3\n  annealing_points: \"0.3, "
        "0.2\"\n}"),
      0,
      { NULL },
      "t:4:3: soft_start: expected less than the first of annealing_points, 0.3, found 0.3\n"
      "t:5:3: annealing_points: expected ascending numbers, found 0.2 after 0.3" },
    { T("lr_config {\n  scheduler: \"soft_anneal\"\n  learning_rate: 0\n  annealing_points: \"0.3; "
        "0.6\"\n}"),
      0,
      { NULL },
      "t:4:3: learning_rate: expected a number from 1e-12 to 1000, found 0 (highest learning "
      "rate)\n"
      "t:5:3: annealing_points: expected a number from 0 to 1, found 0.3; 0.6 (shares of the "
      "training at which the rate is divided)" },
    { T("lr_config {\n  scheduler: \"step\"\n  learning_rate: \"x\"\n  gamma: 2\n}"),
      0,
      { NULL },
      "t:4:18: learning_rate: expected a number, found '\"x\"' (as in the schedule's message)\n"
      "t:5:3: gamma: expected a number from 0 to 1, found 2 (factor per step)" },
    { T("lr_config {\n  scheduler: \"linear\"\n  learning_rate: 1\n}"),
      0,
      { NULL },
      "t:3:14: scheduler: expected one of \"step\", \"soft_anneal\", \"cosine\", found linear "
      "(which of the three; the fields below belong to it)" },
    { T("lr_config {\n  learning_rate: 1\n}"),
      0,
      { NULL },
      "t:2:11: lr_config: 'scheduler' is missing, one of \"step\", \"soft_anneal\", \"cosine\"" },
    { T("lr_config {\n  step { }\n  scheduler: \"step\"\n}"),
      0,
      { NULL },
      "t:4:3: lr_config: 'scheduler' is the form of TLT 2.0 and 'step { ... }' that of 3.0; use "
      "one of them" },
    { T("reg_config { type: \"l2\" scope: \"Conv2D, Dens, LSTM\" }"),
      0,
      { NULL },
      "t:2:20: type: expected one of \"L1\", \"L2\", \"None\", found l2; did you mean 'L2'? "
      "(penalty on weights)\n"
      "t:2:25: scope: expected Conv2D, DepthwiseConv2D or Dense, found \"Dens\"; did you mean "
      "'Dense'?\n"
      "t:2:25: scope: expected Conv2D, DepthwiseConv2D or Dense, found \"LSTM\"" },
    { T("image_mean { key: 'b' value: 1 } image_mean { key: 'x' value: 1 }"),
      0,
      { NULL },
      "t:2:1: image_mean: expected the keys \"b\", \"g\" and \"r\", for 3 channels" },
    { T("image_mean { key: 'l' value: 300 }") M("input_image_size: \"1,32,32\""),
      0,
      { NULL },
      "t:2:30: value: expected a number from 0 to 255, found 300 (mean of the pixels: keys b, g, "
      "r, or l for grey; caffe mode only)" },
    { M("input_image_size: \"1,32,32\"") T("image_mean { key: 'b' value: 3 }"),
      0,
      { NULL },
      "t:4:1: image_mean: expected the key \"l\", for 1 channel" },
    { "model_config {\n  arch: \"resnet\n  n_layers: 18\ntrain_config {\n  n_epochs: 3.5\n",
      TL_NEEDS_MODEL,
      { NULL },
      "t:2:9: this string does not end on its line: a closing quote is missing\n"
      "t:4:1: expected '}' before 'train_config', to close 'model_config' of line 1\n"
      "t:5:13: n_epochs: expected a whole number from 0 to 1000000, found 3.5 (passes over the "
      "training pictures; 0: only the head, on the frozen trunk, by the default recipe)\n"
      "t:6:1: expected '}' before the end of the text, to close 'train_config' of line 4" },
    { M("arch: 'resnet'"),
      0,
      { "model_config.n_layers=11", "train_config.n_epochs=-1" },
      "train_config.n_epochs=-1: n_epochs: expected a whole number from 0 to 1000000, found -1 "
      "(passes over the training pictures; 0: only the head, on the frozen trunk, by the default recipe)\n"
      "model_config.n_layers=11: n_layers: expected one of 10, 18, 34, 50, 101 for resnet, found "
      "11" },
    { T("optimizer: 'sgd'"),
      0,
      { "train_config.lr_config.soft_anneal.annealing_points=.5,.4",
        "train_config.optimizer.adm.lr=1" },
      "train_config.optimizer.adm.lr=1: optimizer has no field 'adm'; did you mean 'adam'?\n"
      "train_config.optimizer.adm.lr=1: optimizer: expected one of sgd, adam, rmsprop in it\n"
      "train_config.lr_config.soft_anneal.annealing_points=.5,.4: annealing_points: expected "
      "ascending numbers, found 0.4 after 0.5" },
};
static const struct { const char *text; unsigned needs; const char *args[2], *message;
} warnings[] = {
    { M("arch: 'mobilenet_v2' n_layers: 3"),
      0,
      { NULL },
      "warning: t:2:22: n_layers has no effect: mobilenet_v2 comes in one size\n" },
    { M("arch: 'vgg' alpha: 0.5"), 0, { NULL }, "warning: t:2:13: alpha has no effect: vgg comes in one width\n" },
    { M("arch: 'vgg' alpha: 1"), 0, { NULL }, "" },
    { T("enable_color_augmentation: true"),
      0,
      { NULL },
      "warning: t:2:1: enable_color_augmentation has no effect without enable_random_crop, as in "
      "the original\n" },
    { T("preprocess_mode: 'torch' image_mean { key: 'b' value: 1 } image_mean { key: 'g' } "
        "image_mean { key: 'r' }"),
      0,
      { NULL },
      "warning: t:2:26: image_mean has no effect with preprocess_mode \"torch\"\n" },
    { T("reg_config { type: 'L1' }"),
      0,
      { NULL },
      "warning: t:2:12: reg_config has no effect: weight_decay is 0\n" },
    { T("lr_config {\n  scheduler: \"step\"\n  soft_start: 0.3\n  annealing_points: \"x\"\n}"),
      0,
      { NULL },
      "warning: t:4:3: 'soft_start' has no effect with scheduler \"step\"\n"
      "warning: t:5:3: 'annealing_points' has no effect with scheduler \"step\"\n" },
    { T("visualizer { enabled: false wandb_config { project: 'a' } }"),
      0,
      { "train_config.model_parallelism=1,2" },
      "warning: accepted, but without effect here: train_config.visualizer, "
      "train_config.model_parallelism\n" },
    { T("enable_color_augmentation: true"), 0, { "train_config.enable_random_crop=true" }, "" },
};

static void every_error(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(errors); i++) {
        tl_arena *a = tl_arena_new();
        const tl_classification_spec *s;
        const char *w;
        int n = !!errors[i].args[0] + !!errors[i].args[1];
        assert_int_equal(tl_classification_spec_load(a, "t", errors[i].text, errors[i].args, n,
                                                     errors[i].needs, &s, &w),
                         TL_ESPEC);
        assert_string_equal(tl_errmsg(), errors[i].message);
        tl_arena_free(a);
    }
}

static void every_warning(void **state)
{
    (void)state;
    for (int i = 0; i < TL_LEN(warnings); i++) {
        tl_arena *a = tl_arena_new();
        const tl_classification_spec *s;
        const char *w;
        int n = !!warnings[i].args[0] + !!warnings[i].args[1];
        assert_int_equal(tl_classification_spec_load(a, "t", warnings[i].text, warnings[i].args, n,
                                                     warnings[i].needs, &s, &w),
                         TL_OK);
        assert_string_equal(w, warnings[i].message);
        tl_arena_free(a);
    }
}

/* ---- Printing ---- */
static char *without_comments(char *text)
{
    char *out = text;
    for (char *c = text; *c; c++) {
        if (c[0] == '#') c += strcspn(c, "\n");
        while (*c == '\n' && out > text && out[-1] == ' ') out--;
        *out++ = *c;
    }
    *out = 0;
    return text;
}

static void printed_again(void **state)
{
    (void)state;
    static const char *const texts[] = {
        NULL,
        NULL,
        "",
        "model_config { arch: 'vgg' activation { activation_type: 'leaky_relu' "
        "activation_parameters { key: 'alpha' value: 0.1 } } }"
        "train_config { optimizer: 'adam' }",
        "train_config { class_weights { key: 'a \"b\"' value: 2 } class_weights { key: '\xC3\xA9' "
        "value: .5 } lr_config { scheduler: 'step' gamma: .5 } }",
    };
    for (int i = 0; i < TL_LEN(texts); i++) {
        tl_arena *a = tl_arena_new();
        const char *w, *first, *second;
        const tl_classification_spec *s = load(a, i == 0 ? OLD_FORM : i == 1 ? NEW_FORM : "t", texts[i], &w);
        assert_int_equal(tl_classification_spec_print(a, s, &first), TL_OK);
        s = load(a, "printed", first, &w);
        assert_int_equal(tl_classification_spec_print(a, s, &second), TL_OK);
        assert_string_equal(without_comments(tl_strdup(a, first)), without_comments(tl_strdup(a, second)));
        tl_arena_free(a);
    }
}

static void no_memory(void **state)
{
    (void)state;
    static const char *const files[] = { OLD_FORM, NEW_FORM };
    const char *const args[] = { "train_config.n_epochs=3", "train_config.class_weights.car=2" };
    for (int k = 0; k < TL_LEN(files); k++) {
        tl_status s = TL_ENOMEM;
        for (int n = 0; s; n++) {
            assert_true(n < 2000);
            tl_arena *a = tl_arena_new();
            const tl_classification_spec *spec;
            const char *text;
            tl_oom_countdown = n;
            s = tl_classification_spec_load(a, files[k], NULL, args, 2, ALL, &spec, &text);
            if (!s) s = tl_classification_spec_print(a, spec, &text);
            tl_oom_countdown = -1;
            assert_true(s == TL_OK || s == TL_ENOMEM);
            tl_arena_free(a);
        }
    }
}

static void files(void **state)
{
    (void)state;
    tl_arena *a = tl_arena_new();
    const tl_classification_spec *s;
    const char *w;
    assert_int_equal(tl_classification_spec_load(a, "no/such/file", NULL, NULL, 0, 0, &s, &w), TL_EIO);
    assert_string_equal(tl_errmsg(), "cannot open 'no/such/file': No such file or directory");
    assert_int_equal(tl_classification_spec_load(a, "test/data", NULL, NULL, 0, 0, &s, &w), TL_EIO);
    tl_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_form),      cmocka_unit_test(new_form),
        cmocka_unit_test(completed),     cmocka_unit_test(every_error),
        cmocka_unit_test(every_warning), cmocka_unit_test(printed_again),
        cmocka_unit_test(no_memory),     cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

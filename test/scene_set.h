/* scene_set.h - small pictures of shapes with labels, for tests of detectors. SPDX-License-Identifier: MIT
 *
 * To be included after folder.h, and what it needs itself before that. */
#ifndef TL_SCENE_SET_H
#define TL_SCENE_SET_H

enum { SCENE = 96 };

typedef struct { int x, y, w, h; bool disc; } shape;

/* Red boxes and blue discs on noise. */
static inline void paint(tl_image *m, const shape *s)
{
    for (int y = s->y; y < s->y + s->h; y++)
        for (int x = s->x; x < s->x + s->w; x++) {
            const float u = (float)(2 * (x - s->x) + 1 - s->w) / (float)s->w, v = (float)(2 * (y - s->y) + 1 - s->h) / (float)s->h;
            uint8_t *p = m->p + 3 * (y * m->w + x);
            if (s->disc && u * u + v * v > 1) continue;
            p[0] = s->disc ? 30 : 220;
            p[1] = 40;
            p[2] = s->disc ? 220 : 30;
        }
}

static inline void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

/* A box in the left half and a disc in the right one. NAME/images/00.png, NAME/labels/00.txt, ... */
static inline void put_scenes(const char *name, int n, uint64_t seed)
{
    const char *images = tl_path_join(a, in(name), "images"), *labels = tl_path_join(a, in(name), "labels");
    ok(tl_mkdirs(images));
    ok(tl_mkdirs(labels));
    for (int i = 0; i < n; i++) {
        tl_image m;
        tl_text t = tl_text_new(a);
        tl_rng r = tl_rng_at(seed, (uint64_t)i, 0, 0);
        ok(tl_image_new(a, SCENE, SCENE, 3, &m));
        for (int k = 0; k < SCENE * SCENE * 3; k++) m.p[k] = (uint8_t)(90 + tl_rng_below(&r, 40));
        for (int k = 0; k < 2; k++) {
            const int size = 26 + tl_rng_below(&r, 14);
            const shape s = { k * SCENE / 2 + tl_rng_below(&r, SCENE / 2 - size), tl_rng_below(&r, SCENE - size), size, size, k };
            paint(&m, &s);
            tl_textf(&t, "%s 0.00 0 0.00 %d.00 %d.00 %d.00 %d.00 0 0 0 0 0 0 0\n", k ? "Disc" : "Box", s.x, s.y, s.x + s.w, s.y + s.h);
        }
        ok(tl_image_save(a, &m, tl_printf(a, "%s/%02d.png", images, i)));
        write_text(tl_printf(a, "%s/%02d.txt", labels, i), tl_text_end(&t));
    }
}

/* A spec that trains on NAME and validates with it, with more in its sections. */
typedef struct { const char *name; int epochs; const char *augmentation, *arch, *model, *classes, *training, *rate; } scene_conf;
/* What is there and where it is weigh the same. */
#define AS_MUCH "coverage_foreground_weight: 0.5 objectives { name: \"cov\" } objectives { name: \"bbox\" initial_weight: 1 weight_target: 1 }"
#define OR_NOTHING(s) ((s) ? (s) : "")

static inline const char *scene_spec(scene_conf c)
{
    const char *path = in("spec.txt"), *root = in(c.name);
    write_text(path, tl_printf(a,
        "random_seed: 3\n"
        "dataset_config {\n"
        "  data_sources { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" }\n"
        "  validation_data_source { label_directory_path: \"%s/labels\" image_directory_path: \"%s/images\" }\n"
        "  target_class_mapping { key: \"box\" value: \"box\" } target_class_mapping { key: \"disc\" value: \"disc\" }\n"
        "}\n"
        "augmentation_config { preprocessing { output_image_width: 96 output_image_height: 96 output_image_channel: 3 } %s }\n"
        "model_config { %s use_batch_norm: true %s }\n"
        "cost_function_config { target_classes { name: \"box\" " AS_MUCH " } target_classes { name: \"disc\" " AS_MUCH " } %s\n"
        "  enable_autoweighting: true min_objective_weight: 0.0001 max_objective_weight: 0.9999 }\n"
        "training_config { batch_size_per_gpu: 4 num_epochs: %d checkpoint_interval: 2 %s\n"
        "  learning_rate { %s } }\n"
        "evaluation_config { validation_period_during_training: 50 first_validation_epoch: 50 }\n",
        root, root, root, root, OR_NOTHING(c.augmentation),
        c.arch ? c.arch : "arch: \"resnet\" num_layers: 10", OR_NOTHING(c.model), OR_NOTHING(c.classes), c.epochs, OR_NOTHING(c.training),
        c.rate ? c.rate : "soft_start_annealing_schedule { min_learning_rate: 1e-5 max_learning_rate: 1e-3 soft_start: 0.1 annealing: 0.5 }"));
    return path;
}
#endif

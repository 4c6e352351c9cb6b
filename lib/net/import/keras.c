/* keras.c - weights from Keras' HDF5 files.
 * SPDX-License-Identifier: MIT
 *
 * Keras 2, tf.keras and the .h5 files of Keras 3, whole models (model.save) and weights alone (model.save_weights):
 *   [/model_weights]            attribute layer_names; a whole model also has /optimizer_weights, which is left
 * alone, and the root's attribute model_config, JSON, where each batch norm's epsilon is /LAYER attribute
 * weight_names: "LAYER/kernel:0" or, from Keras 3, "LAYER/kernel" /LAYER/kernel:0         the numbers: h,w,I,O;
 * depthwise h,w,C,multiplier; dense I,O Attributes above 64 KB are cut into NAME0, NAME1, ...
 *
 * Where a picture is stored h,w,c (TensorFlow's way, "channels_last"), Flatten puts the channels last, ours puts
 * them first: the rows of the dense layer that follows are put into our order. */
#include "hdf5.h"
#include "import.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LAYERS 8192 /* more than any network has */

/* from: the layer whose output it reads, the first when there are several. channels: of a convolution's output,
 * once it was read. */
typedef struct {
    const char *name, *type, *from;
    float eps;
    bool channels_last;
    int channels;
} config;

typedef struct {
    tl_arena *a;
    tl_h5 h;
    tl_foreign *out;
    tl_list config; /* one a layer, in the model's order */
    size_t left;    /* numbers that may still be handed out */
} reader;

/* ---- model_config ---- */

static void drop_json(void *j) { json_decref(j); }

static const char *text_at(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

/* The first layer named in inbound_nodes: Keras 2 has [[["conv1", 0, 0, {}]]], Keras 3 the same deep inside
 * objects. */
static const char *first_input(const json_t *j, int depth)
{
    static const char *const inner[] = { "args", "config", "keras_history" };
    const char *found = json_string_value(json_array_get(j, 0));
    if (!j || depth == 16) return NULL;
    for (size_t i = 0; !found && i < json_array_size(j); i++) found = first_input(json_array_get(j, i), depth + 1);
    for (int i = 0; !found && i < TL_LEN(inner); i++) found = first_input(json_object_get(j, inner[i]), depth + 1);
    return found;
}

/* One layer of model_config, or a model inside the model. */
static tl_status read_config(reader *r, const json_t *layer, int depth)
{
    const json_t *c = json_object_get(layer, "config"), *inner = json_object_get(c, "layers");
    if (json_is_array(c)) inner = c; /* Sequential of older versions */
    for (size_t i = 0; depth < 8 && i < json_array_size(inner); i++)
        TL_TRY(read_config(r, json_array_get(inner, i), depth + 1));
    if (inner || r->config.n == LAYERS) return TL_OK;
    const json_t *inbound = json_object_get(layer, "inbound_nodes");
    const char *before =
        r->config.n ? ((const config *)r->config.at)[r->config.n - 1].name : ""; /* in a Sequential */
    config *to = tl_add(r->a, &r->config, config);
    TL_NEW(to);
    *to = (config){ .from = inbound ? first_input(inbound, 0) : before,
                    .name = text_at(c, "name"),
                    .type = text_at(layer, "class_name"),
                    .eps = (float)json_number_value(json_object_get(c, "epsilon")),
                    .channels_last = !strcmp(text_at(c, "data_format"), "channels_last") };
    return TL_OK;
}

static tl_status read_model_config(reader *r)
{
    tl_list text;
    json_error_t e;
    TL_TRY(tl_h5_texts(r->a, &r->h, r->h.root, "model_config", &text));
    if (!text.n) return TL_OK;
    json_t *j = json_loads(*(const char **)text.at, 0, &e);
    TL_CHECK(j, TL_EFORMAT, "the Keras file's model_config is damaged: %s (line %d)", e.text, e.line);
    TL_TRY(tl_defer(r->a, drop_json, j));
    return read_config(r, j, 0);
}

/* NULL: not told. */
static config *find_config(const reader *r, const char *name)
{
    for (int i = 0; name && i < r->config.n; i++)
        if (!strcmp(((config *)r->config.at)[i].name, name)) return (config *)r->config.at + i;
    return NULL;
}

/* The channels of the channels-last map that a Flatten made a vector for this layer; 0: its input is none. */
static int flattened(const reader *r, const config *c)
{
    bool flat = false;
    for (int steps = 0; c && steps < LAYERS; steps++, c = find_config(r, c->from)) {
        flat |= !strcmp(c->type, "Flatten");
        if (steps && (c->channels || !strcmp(c->type, "Dense"))) break;
    }
    return c && flat && c->channels_last ? c->channels : 0;
}

/* ---- Weights ---- */

typedef struct {
    const char *name;
    tl_role role;
} word;
static const word words[] = {
    { "kernel", TL_ROLE_KERNEL },       { "depthwise_kernel", TL_ROLE_KERNEL },
    { "bias", TL_ROLE_BIAS },           { "gamma", TL_ROLE_GAMMA },
    { "beta", TL_ROLE_BETA },           { "moving_mean", TL_ROLE_MEAN },
    { "moving_variance", TL_ROLE_VAR },
};

/* From the last part of a weight's name, "kernel:0". */
static tl_role role_of(const char *last, const tl_h5_array *x, const char *type)
{
    size_t n = strcspn(last, ":");
    for (int i = 0; i < TL_LEN(words); i++) {
        if (strlen(words[i].name) != n || memcmp(words[i].name, last, n)) continue;
        bool matrix = x->rank == 4 || x->rank == 2, transposed = strstr(type, "Transpose");
        return words[i].role != TL_ROLE_KERNEL ? (x->rank == 1 ? words[i].role : TL_ROLE_OTHER)
               : matrix && !transposed         ? TL_ROLE_KERNEL
                                               : TL_ROLE_OTHER;
    }
    return TL_ROLE_OTHER;
}

/* h,w,I,O (hw pixels) to O,I,h,w; a depthwise kernel, h,w,C,M, is the same with C and M as one: C*M,1,h,w. */
static void conv_kernel(const tl_h5_array *x, size_t hw, size_t in, size_t out, float *to)
{
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < hw; k++) to[(o * in + i) * hw + k] = tl_h5_float(x, (k * in + i) * out + o);
}

/* I,O to O,I; I's order becomes channel by channel where it was pixel by pixel (c channels). */
static void dense_kernel(const tl_h5_array *x, size_t c, float *to)
{
    size_t in = x->dim[0], out = x->dim[1], pixels = in / c;
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++) to[o * in + i % c * pixels + i / c] = tl_h5_float(x, i * out + o);
}

/* The numbers, in our order. c: the layer's configuration, NULL when not told. Keras 3 calls every kernel "kernel".
 */
static tl_status fill(reader *r, tl_foreign_tensor *t, const tl_h5_array *x, config *c)
{
    size_t big = 0;
    for (int i = 0; i < x->rank; i++) big = x->dim[i] > big ? x->dim[i] : big;
    TL_CHECK(x->n <= r->left && big < 1u << 28, TL_EFORMAT,
             "its %zu numbers are more than the file holds: it is damaged or hostile", x->n);
    r->left -= x->n;
    float *to = tl_new(r->a, float, x->n);
    TL_NEW(to);
    t->at = to;
    t->dims = (tl_dims){ { (int)x->n, 1, 1, 1 } };
    if (t->role != TL_ROLE_KERNEL) {
        for (size_t i = 0; i < x->n; i++) to[i] = tl_h5_float(x, i);
    } else if (x->rank == 4) {
        bool depthwise = strstr(t->name, "depthwise_kernel") || (c && !strcmp(c->type, "DepthwiseConv2D"));
        size_t in = depthwise ? 1 : x->dim[2], out = depthwise ? x->dim[2] * x->dim[3] : x->dim[3];
        t->dims = (tl_dims){ { (int)out, (int)in, (int)x->dim[0], (int)x->dim[1] } };
        conv_kernel(x, x->dim[0] * x->dim[1], in, out, to);
        if (c) c->channels = (int)out;
    } else {
        size_t channels = c ? (size_t)flattened(r, c) : 0;
        t->dims = (tl_dims){ { (int)x->dim[1], (int)x->dim[0], 1, 1 } };
        dense_kernel(x, channels && x->dim[0] % channels == 0 ? channels : x->dim[0], to);
    }
    return TL_OK;
}

static tl_status read_weight(reader *r, uint64_t group, const char *layer, const char *name)
{
    uint64_t object;
    tl_h5_array x;
    const char *last = strrchr(name, '/');
    last = last ? last + 1 : name;
    TL_TRY(tl_h5_child(&r->h, group, name, &object));
    TL_CHECK(object, TL_EFORMAT, "there is no dataset of this name: the file is damaged");
    TL_TRY(tl_h5_dataset(&r->h, object, &x));
    if (!x.type || !x.n) return TL_OK; /* counters, seeds: no weights */
    config *c = find_config(r, layer);
    tl_foreign_tensor t = { .layer = layer, .name = name, .role = role_of(last, &x, c ? c->type : "") };
    if (c && t.role >= TL_ROLE_GAMMA && t.role <= TL_ROLE_VAR) t.eps = c->eps;
    TL_TRY(fill(r, &t, &x, c));
    tl_foreign_tensor *to = tl_add(r->a, &r->out->tensor, tl_foreign_tensor);
    TL_NEW(to);
    *to = t;
    return TL_OK;
}

/* All of an attribute's strings, also where it was cut into pieces. */
static tl_status read_names(reader *r, uint64_t object, const char *name, tl_list *out)
{
    char piece[32];
    TL_TRY(tl_h5_texts(r->a, &r->h, object, name, out));
    for (int i = 0; i < 100; i++) {
        tl_list more;
        snprintf(piece, sizeof piece, "%s%d", name, i);
        if (!i && out->n) return TL_OK;
        TL_TRY(tl_h5_texts(r->a, &r->h, object, piece, &more));
        if (!more.n) break;
        for (int k = 0; k < more.n; k++) {
            const char **to = tl_add(r->a, out, const char *);
            TL_NEW(to);
            *to = ((const char **)more.at)[k];
        }
    }
    return TL_OK;
}

/* The part of a weight's name that names the layer: "conv1" of "conv1/kernel:0". */
static tl_status prefix(reader *r, const char *weight, const char **out)
{
    const char *slash = strrchr(weight, '/');
    TL_NEW(*out = tl_strndup(r->a, weight, slash ? (size_t)(slash - weight) : 0));
    return TL_OK;
}

/* A group is a layer; where its weights name several layers it is a model inside the model. */
static tl_status read_layer(reader *r, uint64_t weights, const char *layer)
{
    uint64_t group;
    tl_list names;
    TL_TRY(tl_h5_child(&r->h, weights, layer, &group));
    TL_CHECK(group, TL_EFORMAT, "the Keras file lists the layer '%s' but does not hold it", layer);
    TL_TRY(read_names(r, group, "weight_names", &names));
    const char **name = names.at, *one = layer, *other;
    bool several = false;
    for (int i = 0; i < names.n; i++) {
        TL_TRY(prefix(r, name[i], &other));
        several |= i && strcmp(one, other);
        one = other;
    }
    for (int i = 0; i < names.n; i++) {
        const char *of = layer;
        if (several) TL_TRY(prefix(r, name[i], &of));
        tl_status s = read_weight(r, group, of, name[i]);
        if (s) return tl_note(s, "reading the weight '%s' of the layer '%s'", name[i], layer);
    }
    return TL_OK;
}

/* ---- The importer ---- */

static bool zipped(tl_bytes f)
{
    return f.n >= 4 && !memcmp(f.p, "PK\3\4", 4) && memmem(f.p, f.n, "model.weights.h5", 16);
}
static bool knows(tl_bytes f) { return tl_h5_knows(f) || zipped(f); }

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    reader r = { .a = a, .out = out, .left = file.n / 2 };
    uint64_t weights, modern;
    tl_list layers;
    (void)path;
    TL_CHECK(!zipped(file), TL_EUNSUP,
             "this is a Keras 3 archive; load it in Keras and save it as HDF5: model.save('model.h5')");
    TL_TRY(tl_h5_open(file, &r.h));
    TL_TRY(tl_h5_child(&r.h, r.h.root, "model_weights", &weights));
    if (!weights) weights = r.h.root;
    TL_TRY(read_names(&r, weights, "layer_names", &layers));
    TL_TRY(tl_h5_child(&r.h, r.h.root, "layers", &modern));
    TL_CHECK(layers.n || !modern, TL_EUNSUP,
             "these are weights as Keras 3 stores them, without the names of the layers; "
             "save the whole model as HDF5: model.save('model.h5')");
    TL_CHECK(layers.n && layers.n <= LAYERS, TL_EFORMAT,
             "this is HDF5, but not from Keras: nothing in it lists layers");
    TL_TRY(read_model_config(&r));
    for (int i = 0; i < layers.n; i++) TL_TRY(read_layer(&r, weights, ((const char **)layers.at)[i]));
    if (!r.config.n)
        out->note =
            "the file holds weights alone: what batch norm adds to the variance (epsilon) is not known from it";
    return TL_OK;
}

const tl_importer tl_importer_keras = {
    .name = "keras",
    .brief = "Keras HDF5: whole models and weights",
    .ends = ".h5 .hdf5",
    .knows = knows,
    .read = read,
};

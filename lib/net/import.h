/* import.h - networks and weights in other programs' files. SPDX-License-Identifier: MIT
 *
 * An importer is one file in import/ and one word in TL_IMPORTERS; which one reads a file is decided by the file's
 * content, never by its name. It gives one of two things:
 *   a list of tensors   (safetensors, PyTorch, Keras HDF5): named layers without the network that connects them
 *   a network           (ONNX, darknet, TFLite): a graph of our operations with its parameters
 * What becomes of it (which of our layers gets which weights, and the report) is not the importer's business: see
 * match.c. */
#ifndef TL_IMPORT_H
#define TL_IMPORT_H
#include "net.h"

/* What a tensor is to its layer. */
typedef enum {
    TL_ROLE_KERNEL,
    TL_ROLE_BIAS,
    TL_ROLE_GAMMA,
    TL_ROLE_BETA,
    TL_ROLE_MEAN,
    TL_ROLE_VAR,
    TL_ROLE_OTHER
} tl_role;

typedef struct {
    const char  *layer;          /* "layer1.0.conv1" */
    const char  *name;           /* as in the file, "layer1.0.conv1.weight"; for reports */
    tl_role      role;
    tl_dims      dims;           /* kernels as ours: O,I,h,w (depthwise: C,1,h,w; dense: O,I,1,1); others: n,1,1,1 */
    const float *at;             /* converted to float and to that order; owned by the arena given to read */
    float        eps;            /* of batch norm's tensors, where the file tells it; 0: it does not */
} tl_foreign_tensor;

typedef struct {
    const char *format;          /* name of the importer that read it */
    tl_list     tensor;          /* tl_foreign_tensor, in the file's order; empty when there is a network */
    tl_model *model; /* NULL when there is only a list. Node names as in the file; classes, norm and filter where
                      * the file tells them, else as tl_model_unpack leaves them */
    bool beside;     /* given to read: files that this one names, in its folder, may be read (ONNX external data) */
    const char *note;            /* what a person should know ("uint8 weights were dequantized"); "" when nothing */
} tl_foreign;

typedef struct tl_importer {
    const char *name, *brief;    /* "safetensors" */
    const char *ends;            /* usual file extensions, for help: ".safetensors" */
    bool      (*knows)(tl_bytes file);
    /* Read it whole. path: for messages, and for formats of several files (what lies beside it); nothing outside its
     * folder is opened. Hostile files: TL_EFORMAT with the place; memory in proportion to the file's size. */
    tl_status (*read)(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out);
} tl_importer;
#define TL_IMPORTERS(X) X(onnx) X(safetensors) X(pytorch) X(keras) X(darknet) X(tflite)
const tl_importer *tl_importer_at(int i);                        /* NULL after the last */
/* Read the file with whichever importer knows it; TL_EFORMAT when none does. */
tl_status tl_import(tl_arena *a, const char *path, const char *key, tl_foreign *out);
tl_status tl_import_beside(tl_arena *a, const char *path, const char *key, tl_foreign *out); /* with .beside */

/* ---- Matching (match*.c) ---- */
struct tl_scheme;
typedef struct {
    bool exact; /* take over settings that change the size of maps too, so that the answer is the other network's */
    bool all;                    /* report the layers that simply matched, too */
    bool keep_bn, keep_act;      /* as for tl_model_transfer, */
    uint64_t seed;               /* which does it when the file is a network under our names */
    const struct tl_scheme *scheme; /* whose names; NULL: find out */
} tl_match_opts;
/* Give m, freshly built, the weights of the file, and report each layer: matched, reshaped, identity, skipped, fresh,
 * and why. TL_EDATA when nothing matches. */
tl_status tl_match(tl_model *m, const tl_foreign *from, const tl_match_opts *o, tl_transfer *out);
/* The network a list of tensors belongs to, with its number of classes (0: it has no head); arch NULL: any, layers 0:
 * any. Only fills what it finds out. TL_EDATA: none fits, and which came nearest. */
tl_status tl_guess(const tl_foreign *from, const char *arch, int layers, tl_model_conf *c,
                   const struct tl_scheme **scheme);
/* How the makers of the weights prepared their pictures, into m; with a network what its file says, else what is
 * usual for the scheme (NULL: nothing is known, and m stays as it is). False: nothing was known. */
bool tl_prepare_as(tl_model *m, const tl_foreign *from, const struct tl_scheme *scheme);

/* ---- Bring your own model (byom.c) ---- */
extern const tl_backbone tl_byom_backbone; /* arch "onnx"; it cannot be built, only named */
/* A classifier on the trunk of another: `cut` names the last node to keep (NULL, "": before the last pooling or
 * flatten). */
tl_status tl_byom_build(tl_arena *a, const tl_model *from, const char *cut, const tl_model_conf *c, tl_model **out);
#endif

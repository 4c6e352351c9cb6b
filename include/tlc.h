/* tlc.h - TLC, Transfer Learning in C: the public interface.
 * SPDX-License-Identifier: MIT */
#ifndef TLC_H
#define TLC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status -----------------------------------------------------------------------------------
 * Every function that can fail returns a tl_status: TL_OK, or what kind of thing went wrong.
 * tl_errmsg() then holds one or more lines a person can act on (per thread, valid until the next
 * failure on that thread). */
typedef enum {
    TL_OK = 0,
    TL_ENOMEM = -1,  /* the allocator said no */
    TL_EARG = -2,    /* the caller asked for something that makes no sense */
    TL_ESHAPE = -3,  /* tensors do not fit together */
    TL_EIO = -4,     /* the operating system said no */
    TL_EFORMAT = -5, /* a file is not what it claims to be */
    TL_EUNSUP = -6,  /* valid, but not supported here */
    TL_EDNN = -7,    /* oneDNN said no */
    TL_ESPEC = -8,   /* the experiment spec has errors (all of them are in the message) */
    TL_EDATA = -9,   /* the pictures or labels cannot be used as they are */
    TL_ESTOPPED = -10, /* stopped on request; what could be saved was saved */
    TL_EDIVERGED = -11, /* the training went wrong: the loss is no longer a number */
    TL_EPEER = -12   /* another process of the job failed or is lost */
} tl_status;
const char *tl_errmsg(void);

/* ---- Arena ------------------------------------------------------------------------------------
 * Every object belongs to an arena and dies with it, in reverse order of creation. */
typedef struct tl_arena tl_arena;
tl_arena *tl_arena_new(void); /* NULL: out of memory */
void      tl_arena_free(tl_arena *a); /* NULL is fine */

/* ---- Fields -----------------------------------------------------------------------------------
 * A tl_field describes one member of a parameter struct; the same row parses it (from a spec file
 * or a command line), range-checks it, prints it, saves it and documents it. A tl_msg is the list
 * of rows of one struct. Used for op attributes, experiment specs and command options alike. */
typedef enum {
    TL_INT,   /* int */
    TL_FLOAT, /* float */
    TL_BOOL,  /* bool */
    TL_STR,   /* const char *, NULL when unset and without a default */
    TL_ENUM,  /* int, an index into names */
    TL_MSG    /* T *, NULL when unset */
} tl_kind;

enum {
    TL_REPEATED = 1, /* the member is a tl_list of the kind */
    TL_MAP = 2,      /* the member is a tl_list of tl_pair: string key to float */
    TL_REQUIRED = 4, /* must be set */
    TL_NOEFFECT = 8, /* read and checked for compatibility, without effect here: named in a warning */
    TL_EXTRA = 16,   /* ours; the original does not have it */
    TL_ONEOF = 32,   /* at most one of the message's TL_ONEOF members may be set */
    TL_LEGACY = 64,  /* an older spelling: read, moved to the row that replaced it, never printed */
    TL_OPTIONAL = 128 /* as an option on a command line its value may be left out, and is sdef then */
};

typedef struct tl_list { int n; void *at; } tl_list; /* at: int[], float[], const char *[], T *[], tl_pair[] */
typedef struct tl_pair { const char *key; float value; } tl_pair;

struct tl_msg;
typedef struct tl_field {
    const char *name;
    tl_kind     kind;
    size_t      off;
    double      def, lo, hi;        /* default and range of numbers */
    const char *help;
    unsigned    flags;
    const char *sdef;               /* default of strings */
    const char *const *names;       /* TL_ENUM: names by value, NULL-terminated; TL_STR: allowed values */
    const struct tl_msg *msg;       /* TL_MSG */
} tl_field;

typedef struct tl_msg {
    const char     *name;
    const tl_field *field;          /* ended by an empty row */
    size_t          size;           /* of the struct; its first member is `uint64_t set`, bit i: row i was given */
    const char     *help;
} tl_msg;

#define TL_F(T, m, kind, def, lo, hi, help) { #m, kind, offsetof(T, m), def, lo, hi, help, 0, NULL, NULL, NULL }
#define TL_F_END { NULL, TL_INT, 0, 0, 0, 0, NULL, 0, NULL, NULL, NULL }

/* One value from text, as on a command line; lists are added to. `a` owns strings. TL_EARG: what was expected. */
tl_status tl_field_set(tl_arena *a, const tl_field *f, void *obj, const char *text);
/* The text tl_field_set would read. NULL: out of memory. */
const char *tl_field_get(tl_arena *a, const tl_field *f, const void *obj);
/* Zero means default: numbers that are 0 and strings that are NULL get theirs. */
void      tl_field_defaults(const tl_field *list, void *obj);
tl_status tl_field_check(const tl_field *list, const void *obj);
const tl_field *tl_field_find(const tl_field *list, const char *name);    /* NULL: no such row */
const char     *tl_field_nearest(const tl_field *list, const char *name); /* NULL: none is close */

/* ---- Listening --------------------------------------------------------------------------------
 * Nothing in the library prints. Who runs a task is told through these; each may be NULL. */
typedef struct {
    const char *stage;          /* "head", "train", ... */
    int    epoch, epochs;       /* from 1 */
    int    batch, batches;      /* done in this epoch */
    double loss, accuracy;      /* means over this epoch so far; accuracy -1: there is none */
    double rate;                /* learning rate */
    double pictures_per_second;
    double eta;                 /* seconds left of all the training, or of the file, as far as can be told */
    double done, size;          /* bytes of a file that is being fetched; size 0: none is */
} tl_progress;
typedef struct {
    void (*say)(void *ctx, const char *text);          /* whole lines; warnings begin with "warning: " */
    void (*progress)(void *ctx, const tl_progress *p); /* after each step: often */
    void *ctx;
    const volatile int *stop;                          /* not 0: stop soon, saving what can be saved (TL_ESTOPPED) */
    void (*lost)(void *ctx, const char *why);          /* on another thread: the job that this process is one of has failed while
                                                        * the task is busy for long; show why and end the program */
} tl_listener;

const char *tl_version(void);                          /* "0.1.0" */
const char *tl_build(void);                            /* "oneDNN 2.6.3, avx512 kernels, ...": what runs here */
void        tl_threads(int n);                         /* for all that follows; 0: as many as this process may use */

void        tl_exact(bool on);                         /* for all that follows: convolutions as plain sums of products, slower and a digit closer */

/* ---- Many processes -----------------------------------------------------------------------------
 * A job is what mpirun or srun start: processes, on one machine or many, that train together. Process 0 speaks and writes for all. */
typedef struct { int size, rank, local; } tl_job;      /* local: how many of them run on this machine; alone: 1, 0, 1 */
tl_job    tl_job_here(void);                           /* how this process was started */
tl_status tl_job_check(void);                          /* can a job be joined here? TL_EUNSUP says what to install */

/* ---- Image classification ---------------------------------------------------------------------
 * One function per command of the original. Strings are paths unless said otherwise; NULL is "not given". overrides: spec
 * values on top of the file, "train_config.n_epochs=3". key: seals the models written, opens those read. */
typedef struct {
    const char *experiment_spec; /* required */
    const char *results_dir;     /* required; made when absent */
    const char *key;
    const char *classmap;        /* text file: class names in index order, a line each */
    bool        resume;
    bool        plan;            /* do not train: tell what a step computes, its memory and time, and how long it would all take */
    int         max_memory;      /* megabytes for values and their gradients; to stay within, maps are made twice; what still needs more is refused, saying what fits; 0: no limit */
    int         cache_features;  /* megabytes of memory for what a frozen trunk makes of the pictures, which is computed once; larger: a file; 0: computed each time */
    bool        use_amp;         /* mixed precision: maps and their gradients bf16, all else f32, on processors with AVX512-BF16 */
    int         num_processes;   /* this process is one of so many of a job, which train together; 0 or 1: it trains alone */
    const char *model_name;      /* detectors: files are called so; NULL: "model" */
    tl_list     overrides;       /* const char * */
} tl_train_opts;
typedef struct { int best_epoch, epochs; double best_accuracy; const char *best_model; } tl_train_summary; /* strings live in a */
tl_status tl_classification_train(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_summary *out);

typedef struct {
    const char *experiment_spec; /* may be left out when model and images are given */
    const char *key, *model, *results_dir, *classmap;
    const char *images;          /* class folders; NULL: eval_config.eval_dataset_path of the spec */
    int         batch_size;      /* 0: the spec's */
    bool        use_amp;         /* as when training */
    tl_list     overrides;
} tl_evaluate_opts;
typedef struct {
    double accuracy, top_k, loss, pictures_per_second;
    int    pictures, unreadable;
    const char *report;          /* the printed tables */
} tl_evaluation;
tl_status tl_classification_evaluate(tl_arena *a, const tl_evaluate_opts *o, const tl_listener *l, tl_evaluation *out);

typedef struct {
    const char *model, *output_file; /* both required; the output must not exist unless overwrite */
    const char *key, *results_dir;
    int         normalizer;      /* 0 max, 1 L2 */
    int         equalization_criterion; /* 0 union, 1 intersection, 2 arithmetic_mean, 3 geometric_mean */
    int         pruning_granularity, min_num_filters; /* 8, 16 */
    float       pruning_threshold;
    const char *target;          /* "macs=0.5" or "params=0.3": find the threshold instead */
    const char *images;          /* pictures to adapt the remaining weights on, without labels; NULL: leave them as they are */
    tl_list     excluded_layers; /* const char * */
    bool        overwrite;
} tl_prune_cmd_opts;
typedef struct { double ratio, macs_ratio; float threshold; size_t params, macs; const char *table; } tl_prune_summary;
tl_status tl_classification_prune(tl_arena *a, const tl_prune_cmd_opts *o, const tl_listener *l, tl_prune_summary *out);

typedef struct {
    const char *experiment_spec; /* optional: the model knows how its pictures are prepared */
    const char *model;           /* required */
    const char *image, *image_dir; /* one of them */
    const char *classmap;        /* classmap.json; NULL: the classes in the model */
    const char *key, *results_dir; /* results_dir: where result.csv goes; NULL: the current folder */
    int         batch_size;
    bool        use_amp;         /* as when training */
    tl_list     overrides;
} tl_inference_opts;
typedef struct {
    int pictures, unreadable;
    double pictures_per_second;
    const char *text;            /* one picture: what the original prints */
    const char *csv;             /* a folder: the file written */
} tl_inference;
tl_status tl_classification_inference(tl_arena *a, const tl_inference_opts *o, const tl_listener *l, tl_inference *out);

typedef struct {
    const char *model;           /* required */
    const char *output_file;     /* NULL: the model's name with .onnx (sealed: .etlt) */
    const char *key, *experiment_spec, *classmap_json, *results_dir;
    const char *image_dir;       /* sample pictures to compare both graphs on; NULL: made-up ones */
    int         data_type;       /* 0 fp32; 1 fp16: weights stored in 16 bits */
    int         static_batch_size; /* 0 or -1: dynamic */
    bool        with_preprocessing, overwrite, gen_ds_config;
    bool        with_postprocessing; /* detectors: objects are made by the graph */
    tl_list     overrides;
} tl_export_opts;
typedef struct { double worst; size_t bytes; const char *output_file, *report; } tl_export_summary; /* worst: largest difference seen */
tl_status tl_classification_export(tl_arena *a, const tl_export_opts *o, const tl_listener *l, tl_export_summary *out);

/* ---- Object detection: DetectNet_v2 ------------------------------------------------------------
 * The same commands for a detector that answers for every cell of a grid. Of tl_train_opts, classmap and cache_features mean nothing
 * here; of tl_train_summary, accuracy is the mean average precision, -1 where there was nothing to validate with. */
tl_status tl_detectnet_v2_train(tl_arena *a, const tl_train_opts *o, const tl_listener *l, tl_train_summary *out);

typedef struct {
    const char *experiment_spec, *model; /* both required */
    const char *key, *results_dir;
    bool        use_training_set; /* the pictures trained on, not those to validate with */
    bool        compat;          /* average precision as the original's INTEGRATE counts it: lower than it should be */
    bool        use_amp;
    int         batch_size;      /* 0: the spec's */
    tl_list     overrides;
} tl_detect_evaluate_opts;
typedef struct {
    double mean_precision, cost, seconds, pictures_per_second; /* seconds: of the network and what follows it, by picture */
    double precision_50, precision_coco; /* COCO's figures: at an overlap of 0.5; mean over 0.5 to 0.95; -1: no objects */
    int    pictures, unreadable;
    const char *report;          /* the table as the original prints it */
} tl_detect_scores;
tl_status tl_detectnet_v2_evaluate(tl_arena *a, const tl_detect_evaluate_opts *o, const tl_listener *l, tl_detect_scores *out);

/* The layers of the head stay whole. */
tl_status tl_detectnet_v2_prune(tl_arena *a, const tl_prune_cmd_opts *o, const tl_listener *l, tl_prune_summary *out);

typedef struct {
    const char *experiment_spec; /* an inference spec; NULL: classes, thresholds and so on are those the model was trained with */
    const char *model;           /* NULL: the spec's */
    const char *images;          /* required: a picture, or a folder of them */
    const char *results_dir;     /* required; made when absent */
    const char *key;
    int         batch_size;      /* 0: the spec's, without a spec 8 */
    int         fit;             /* how pictures become the network's input. 0: as when it was trained; 1: stretched, whatever their aspect */
    float       threshold;       /* objects of lower scores are neither drawn nor written; below 0: with a spec all that it finds, without 0.25 */
    bool        use_amp, overwrite; /* overwrite: results that are there */
    tl_list     overrides;
} tl_detect_inference_opts;
typedef struct { int pictures, unreadable, objects; double pictures_per_second; } tl_detect_inference_summary;
/* Objects in pictures: drawn in, and in KITTI's and COCO's files. TL_ESTOPPED: on request; what was found so far is there. */
tl_status tl_detectnet_v2_inference(tl_arena *a, const tl_detect_inference_opts *o, const tl_listener *l, tl_detect_inference_summary *out);

/* experiment_spec: whose thresholds are meant; NULL: those the model was trained with. classmap_json means nothing here. */
tl_status tl_detectnet_v2_export(tl_arena *a, const tl_export_opts *o, const tl_listener *l, tl_export_summary *out);

typedef struct {
    const char *experiment_spec; /* required */
    const char *model;           /* whose detections are looked at; NULL: of what the spec starts from, after some steps on few pictures */
    const char *key;
    const char *results_dir;     /* diagnosis.txt goes there; NULL: nothing is written */
    int         pictures, steps; /* 0: 8, 150 */
    tl_list     overrides;
} tl_diagnose_opts;
typedef struct {
    int         causes;          /* what was found that keeps the score low */
    double      first_loss, last_loss; /* of the few pictures, before and after the steps */
    double      score, best_score; /* mean average precision on them, with the spec's thresholds and with the best ones found */
    const char *report;          /* the likeliest cause first, each with the field to change */
} tl_diagnosis;
/* Why does a detector's score stay at zero? Looks at labels, boxes and rates, and learns a few pictures by heart. */
tl_status tl_detectnet_v2_diagnose(tl_arena *a, const tl_diagnose_opts *o, const tl_listener *l, tl_diagnosis *out);

/* Check a spec (every error in tl_errmsg) and print it whole, with defaults; *warnings "" when there are none. */
tl_status tl_classification_spec_text(tl_arena *a, const char *path, const tl_list *overrides, const char **text, const char **warnings);
tl_status tl_detectnet_v2_spec_text(tl_arena *a, const char *path, const tl_list *overrides, const char **text, const char **warnings);

/* ---- Object detection: DetectNet_v2 ------------------------------------------------------------- */
typedef struct {
    const char *dataset_export_spec; /* required */
    const char *output_filename; /* required: what the files' names begin with */
    const char *results_dir;     /* where status.json goes; NULL: nowhere */
    int         validation_fold; /* whose pictures sample_modifier_config leaves alone; -1: none */
    bool        overwrite;       /* replace files of an earlier conversion */
    tl_list     overrides;       /* const char * */
} tl_dataset_convert_opts;
typedef struct { int files, records, objects, dropped; const char *warnings; } tl_dataset_convert_summary; /* warnings: the list of dropped boxes, a file, or NULL */
/* Labels in KITTI's or COCO's form into TFRecords. */
tl_status tl_detectnet_v2_dataset_convert(tl_arena *a, const tl_dataset_convert_opts *o, const tl_listener *l, tl_dataset_convert_summary *out);

/* ---- Data sets for detection --------------------------------------------------------------------
 * Labels in the forms that tl_list_text("formats") lists; which it is, and where labels and pictures lie, is found out where it is not
 * told. */
typedef struct {
    const char *folder;          /* required: the data set, or its pictures when labels is given */
    const char *labels, *images; /* where they lie; NULL: below the folder */
    const char *validation;      /* another data set to compare with, NULL: what is called val and test below the folder */
    const char *format;          /* NULL: found out */
} tl_dataset_check_opts;
typedef struct { int errors, warnings, pictures, objects; const char *text, *json; } tl_dataset_check_summary;
/* Count, decode every picture, look for faults and copies. Faults are counted, not an error. */
tl_status tl_dataset_check(tl_arena *a, const tl_dataset_check_opts *o, const tl_listener *l, tl_dataset_check_summary *out);

typedef struct {
    const char *input, *output;  /* both required; the output is a folder that does not exist or is empty */
    const char *labels, *images; /* as above */
    const char *from, *to;       /* forms of labels; from NULL: found out; to NULL (split only): the same */
    const char *map;             /* "old=new,old=new": classes; names that are not in it are left out; NULL: all as they are */
    bool        link;            /* make symbolic links to the pictures in place of copies */
    bool        labels_only;     /* leave the pictures where they are */
    float       val, test;       /* split: which part of the pictures; test 0: none */
    int         seed;
    const char *group;           /* split: "none", "prefix", "similar", a regular expression with parentheses, a JSON file; NULL: none */
} tl_dataset_store_opts;
typedef struct { int pictures, objects; const char *text; } tl_dataset_store_summary;
/* The whole data set in another form. */
tl_status tl_dataset_convert(tl_arena *a, const tl_dataset_store_opts *o, const tl_listener *l, tl_dataset_store_summary *out);
/* In parts train, val, test, with all classes in each as far as groups of pictures that belong together permit. */
tl_status tl_dataset_split(tl_arena *a, const tl_dataset_store_opts *o, const tl_listener *l, tl_dataset_store_summary *out);

/* ---- Other programs' files ---------------------------------------------------------------------
 * Weights and networks that others made (safetensors, PyTorch, ONNX, ...; told by content), as a model of ours. Weights alone need to
 * know their network: arch and n_layers, or the one where everything matches. A network is kept as it is, or, with arch, its weights
 * move into ours. Settings that differ (strides, padding, epsilon, activations) are taken over, so the answer is the original's. */
typedef struct {
    const char *input, *output_file; /* both required */
    const char *arch;            /* NULL: find out */
    int         n_layers;        /* 0: find out */
    const char *labels;          /* class names in index order, a line each; NULL: class0, class1, ... */
    const char *input_image_size; /* "3,224,224", for weights alone */
    const char *preprocess_mode; /* caffe, torch, tf, imagenet; NULL: as the file says, or as its makers usually do */
    const char *key;             /* opens the input when it is sealed, and seals the output */
    bool        external_data;   /* weights that an ONNX file keeps in other files of its folder may be read */
    bool        overwrite;
} tl_import_opts;
typedef struct { int matched, skipped, fresh, classes; size_t params, bytes; const char *format, *arch, *report; } tl_import_summary;
tl_status tl_model_import(tl_arena *a, const tl_import_opts *o, const tl_listener *l, tl_import_summary *out);

/* ---- Registries --------------------------------------------------------------------------------
 * A registry is an index, a JSON file that says what models there are, and the models beside it or elsewhere; docs/registry.md
 * describes it. registry: path or http(s) address of the index or of its folder; NULL: $TLC_REGISTRY, otherwise the models that
 * come with TLC. What is pulled lies in $XDG_CACHE_HOME/tlc/models (~/.cache/tlc/models), and "registry:NAME" then stands for it
 * wherever a model's path is asked for. Strings that are not known are "". */
typedef struct {
    const char *name, *task, *backbone, *input, *preprocess, *accuracy, *license, *url;
    const char *sha256;          /* 64 hexadecimal digits */
    size_t      size, parameters; /* bytes; 0: not known */
    tl_list     classes;         /* const char *; empty: a trunk to start from */
} tl_registry_model;

/* *models: tl_registry_model, those for this backbone or of this name (NULL: all). *text: a table of them. */
tl_status tl_registry_list(tl_arena *a, const char *registry, const char *which, const tl_listener *l, tl_list *models, const char **text);

typedef struct { const char *path, *text; size_t bytes; bool fetched; } tl_pull_summary; /* fetched: it was not here already; text: how to use it */
/* The model, its checksum verified, into the cache. What a pull that was stopped or cut off has fetched is kept, and the next goes on from there. */
tl_status tl_registry_pull(tl_arena *a, const char *registry, const char *name, const tl_listener *l, tl_pull_summary *out);

typedef struct {
    const char *registry;        /* a path: others cannot be written to */
    tl_list     files;           /* const char *: models that tlc wrote */
    const char *name;            /* NULL: the file's, without suffix */
    const char *license, *accuracy; /* as in "0.91 on 120 test pictures of vehicles" */
    const char *key;             /* opens sealed models, which stay sealed */
    bool        overwrite;       /* another model of this name */
} tl_push_opts;
tl_status tl_registry_push(tl_arena *a, const tl_push_opts *o, const tl_listener *l, const char **text);

typedef struct { int right, wrong; const char *text; } tl_verify_summary;
/* Read every file of a registry on this machine, and all in the cache, and compare their checksums. Damaged ones are counted, not an error. */
tl_status tl_registry_verify(tl_arena *a, const char *registry, const tl_listener *l, tl_verify_summary *out);

/* ---- Where the time goes --------------------------------------------------------------------- */
typedef struct {
    const char *arch, *model;    /* one of them */
    const char *key;
    int         n_layers, size;  /* of arch; size: side of the pictures */
    float       alpha;
    int         batch_size, runs;
    bool        train;           /* a training step; otherwise inference */
    bool        use_amp;         /* in mixed precision */
} tl_layers_opts;
typedef struct { double ms, macs; size_t bytes; const char *text; } tl_layers_summary; /* of one run; bytes: of the plan's memory */
/* Run a network on made-up pictures and measure every layer. */
tl_status tl_bench_layers(tl_arena *a, const tl_layers_opts *o, tl_layers_summary *out);

/* ---- Looking around --------------------------------------------------------------------------- */
/* What a model file is: architecture, input, classes, parameters, MACs, history; *json the same for programs. */
typedef struct { size_t params, bytes; double macs; const char *text; } tl_model_info;
tl_status tl_model_describe(tl_arena *a, const char *path, const char *key, tl_model_info *out);
/* A table of "ops", "backbones", "heads", "optimizers", "schedules", "formats", "importers"; NULL or "all": each in turn. TL_EARG: unknown kind. */
tl_status tl_list_text(tl_arena *a, const char *kind, const char **text);
/* Reference pages from the tables, Markdown: page i's file name and text; *name NULL after the last. */
tl_status tl_docs_page(tl_arena *a, int i, const char **name, const char **text);

#ifdef __cplusplus
}
#endif
#endif

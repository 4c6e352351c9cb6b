/* detectnet_v2.h - the specs of DetectNet_v2: experiment, inference, conversion of data sets.
 * SPDX-License-Identifier: MIT
 *
 * The messages are those of the original; TLT 2.0's and 3.0's differ only in fields that the former
 * lacks. Zero or NULL where nothing was given and there is no default. Class names are lower case
 * after loading. Maps are lists of tl_entry or tl_string_entry, or of tl_pair for numbers. What
 * belongs to a class is scattered over five messages: tl_detect_spec gathers it by class. */
#ifndef TL_DETECTNET_V2_H
#define TL_DETECTNET_V2_H
#include "spec_common.h"

/* ---- dataset_config ---- */
typedef struct {
    uint64_t    set;
    const char *tfrecords_path, *image_directory_path;
    const char *label_directory_path; /* ours: label files, read without conversion */
    float       source_weight;        /* of the loss of its pictures */
} tl_data_source;

enum { TL_SAMPLE_USER_DEFINED, TL_SAMPLE_PROPORTIONAL, TL_SAMPLE_UNIFORM };
typedef struct {
    uint64_t        set;
    tl_list         data_sources;         /* tl_data_source * */
    const char     *image_extension;
    tl_list         target_class_mapping; /* tl_string_entry * */
    int             validation_fold;      /* -1: none */
    tl_data_source *validation_data_source;
    int             dataloader_mode, sampling_mode;
} tl_detect_dataset;

/* ---- augmentation_config ---- */
typedef struct {
    uint64_t set;
    int      output_image_width, output_image_height, output_image_channel;
    int      output_image_min, output_image_max;
    bool     enable_auto_resize;
    int      crop_left, crop_top, crop_right, crop_bottom; /* pixels; all 0: the whole picture */
    float    min_bbox_width, min_bbox_height;              /* pixels, after augmentation */
    float    scale_width, scale_height;                    /* 0: not scaled */
} tl_preprocessing;
typedef struct {
    uint64_t set;
    float    hflip_probability, vflip_probability, zoom_min, zoom_max;
    float    translate_max_x, translate_max_y;    /* pixels */
    float    rotate_rad_max, rotate_probability;
} tl_spatial_augmentation;
typedef struct {
    uint64_t set;
    float    color_shift_stddev, hue_rotation_max /* degrees */, saturation_shift_max;
    float    contrast_scale_max, contrast_center;
} tl_color_augmentation;
typedef struct {
    uint64_t                 set;
    tl_preprocessing        *preprocessing;
    tl_spatial_augmentation *spatial_augmentation; /* this and the next: never NULL after loading */
    tl_color_augmentation   *color_augmentation;
} tl_detect_augmentation;

/* ---- model_config ---- */
typedef struct { uint64_t set; const char *input; float scale, offset; } tl_bbox_objective;
typedef struct { uint64_t set; const char *input; } tl_cov_objective;
typedef struct { uint64_t set; tl_bbox_objective *bbox; tl_cov_objective *cov; } tl_objective_set;
typedef struct {
    uint64_t               set;
    const char            *arch, *pretrained_model_file, *teacher_model_file; /* teacher: ours */
    bool                   freeze_pretrained_layers, allow_loaded_model_modification, load_graph;
    int                    num_layers;    /* 0 where the architecture comes in one size */
    bool                   whole_backbone; /* ours: layers beyond stride 16, enlarged, beside those of stride 16 */
    bool                   use_pooling, use_batch_norm, all_projections, freeze_bn;
    float                  dropout_rate;
    tl_activation_config  *activation;    /* NULL: the architecture's own */
    tl_objective_set      *objective_set; /* it and its members: never NULL after loading */
    tl_training_precision *training_precision;
    tl_list                freeze_blocks; /* float, as in the original; whole numbers */
} tl_detect_model;

/* ---- cost_function_config, bbox_rasterizer_config ---- */
typedef struct { uint64_t set; const char *name; float initial_weight, weight_target; } tl_objective;
typedef struct {
    uint64_t    set;
    const char *name;
    float       class_weight, coverage_foreground_weight;
    tl_list     objectives;               /* tl_objective * */
} tl_target_class;
typedef struct {
    uint64_t set;
    tl_list  target_classes;              /* tl_target_class *, in the order of the network's outputs */
    bool     enable_autoweighting;
    float    max_objective_weight, min_objective_weight;
} tl_cost_function;
typedef struct {
    uint64_t set;
    float    cov_center_x, cov_center_y, cov_radius_x, cov_radius_y; /* shares of the box */
    float    bbox_min_radius;             /* cells of the output grid */
} tl_raster_class;
typedef struct { uint64_t set; tl_list target_class_config; float deadzone_radius; } tl_rasterizer;

/* ---- training_config ---- */
typedef struct { uint64_t set; float min_learning_rate, max_learning_rate, soft_start, annealing; } tl_soft_start;
typedef struct {
    uint64_t set;
    float    min_learning_rate, max_learning_rate;
    int      soft_start_epochs, annealing_epochs, patience_steps;
} tl_early_stopping;
typedef struct {
    uint64_t           set;
    tl_soft_start     *soft_start_annealing_schedule; /* one of the two is there after loading */
    tl_early_stopping *early_stopping_annealing_schedule;
} tl_detect_rate;
typedef struct { uint64_t set; float epsilon, beta1, beta2; } tl_detect_adam;
typedef struct { uint64_t set; tl_detect_adam *adam; } tl_detect_optimizer;
enum { TL_NO_REG, TL_L1, TL_L2 };
typedef struct { uint64_t set; int type; float weight; } tl_detect_regularizer;
typedef struct { uint64_t set; bool enabled; float initial_exponent, increment, decrement; } tl_cost_scaling;
typedef struct { uint64_t set; float coverage_threshold; } tl_drawn_class;
typedef struct {
    uint64_t           set;
    bool               enabled;
    int                num_images, scalar_logging_frequency, infrequent_logging_frequency;
    tl_list            target_class_config;           /* tl_entry * of tl_drawn_class */
    tl_wandb_config   *wandb_config;
    tl_clearml_config *clearml_config;
} tl_detect_visualizer;
typedef struct {
    uint64_t               set;
    int                    batch_size_per_gpu, num_epochs, checkpoint_interval;
    tl_detect_rate        *learning_rate;             /* this and the next three: never NULL after loading */
    tl_detect_regularizer *regularizer;
    tl_detect_optimizer   *optimizer;
    tl_cost_scaling       *cost_scaling;
    bool                   enable_qat;
    float                  weight_average; /* ours: share of the old kept in the running average of the weights; 0: none */
    int                    cache_mb;       /* ours: decoded pictures kept in memory, at most */
    tl_detect_visualizer  *visualizer;
} tl_detect_training;

/* ---- postprocessing_config, evaluation_config ---- */
typedef struct {
    uint64_t set;
    float    coverage_threshold;
    int      minimum_bounding_box_height, clustering_algorithm /* tl_cluster_kind */, neighborhood_size;
    float    dbscan_eps, dbscan_min_samples, dbscan_confidence_threshold;
    float    nms_iou_threshold, nms_confidence_threshold;
} tl_clustering_config;
extern const tl_msg tl_clustering_msg;
typedef struct {
    uint64_t    set;
    float       confidence_threshold;
    const char *confidence_model_filename, *normalization_mode;
} tl_confidence;
typedef struct {
    uint64_t       set;
    tl_clustering_config *clustering_config;
    tl_confidence *confidence_config;
} tl_postprocessing_class;
typedef struct { uint64_t set; tl_list target_class_config; } tl_postprocessing;
typedef struct { uint64_t set; int minimum_height, maximum_height, minimum_width, maximum_width; } tl_evaluation_box;
typedef struct {
    uint64_t set;
    int      validation_period_during_training, first_validation_epoch, early_stopping_patience_steps;
    tl_list  minimum_detection_ground_truth_overlap; /* tl_pair */
    tl_list  evaluation_box_config;                  /* tl_entry * of tl_evaluation_box */
    int      average_precision_mode;                 /* tl_ap_mode */
} tl_detect_evaluation;

/* ---- loss_mask_label_filter ---- */
typedef struct { uint64_t set; float min_width, min_height, max_width, max_height; } tl_filter_size;
typedef struct { uint64_t set; float crop_left, crop_right, crop_top, crop_bottom; } tl_filter_crop;
typedef struct { uint64_t set; tl_list source_class_names; } tl_filter_class;
typedef struct {
    uint64_t         set;
    tl_filter_size  *bbox_dimensions_label_filter;
    tl_filter_crop  *bbox_crop_label_filter;
    tl_filter_class *source_class_label_filter;
} tl_label_filter;
typedef struct {
    uint64_t         set;
    tl_label_filter *label_filter;
    tl_list          target_class_names, objective_names; /* const char *; none: all */
} tl_objective_filter;
typedef struct {
    uint64_t set;
    tl_list  objective_label_filter_configs;              /* tl_objective_filter * */
    float    mask_multiplier;
    bool     preserve_ground_truth;
} tl_loss_mask;

/* ---- dataset_convert's spec, also part of the experiment ---- */
typedef struct {
    uint64_t    set;
    const char *root_directory_path, *image_dir_name, *label_dir_name, *point_clouds_dir, *calibrations_dir;
    const char *kitti_sequence_to_frames_file, *image_extension, *partition_mode;
    int         num_partitions, num_shards; /* 0 shards: one file */
    float       val_split;                  /* percent */
} tl_kitti_config;
typedef struct {
    uint64_t    set;
    const char *root_directory_path;
    tl_list     img_dir_names, annotation_files, num_shards; /* const char *, const char *, int: per partition */
    int         num_partitions;
} tl_coco_config;
typedef struct {
    uint64_t set;
    tl_list  filter_samples_containing_only, dominant_target_classes; /* const char * */
    tl_list  minimum_target_class_imbalance;                          /* tl_pair */
    int      num_duplicates, max_training_samples;
    tl_list  source_to_target_class_mapping;                          /* tl_string_entry * */
} tl_sample_modifier;
typedef struct {
    uint64_t            set;
    tl_coco_config     *coco_config; /* one of the two is there after loading */
    tl_kitti_config    *kitti_config;
    tl_sample_modifier *sample_modifier_config;
    const char         *image_directory_path;
    tl_list             target_class_mapping; /* tl_string_entry * */
} tl_dataset_export;
extern const tl_msg tl_dataset_export_msg;

/* ---- Experiment ---- */
typedef struct {
    uint64_t                set;
    int                     random_seed;
    tl_detect_dataset      *dataset_config;
    tl_detect_augmentation *augmentation_config;
    tl_postprocessing      *postprocessing_config;
    tl_detect_model        *model_config;
    tl_detect_evaluation   *evaluation_config;
    tl_cost_function       *cost_function_config;
    tl_detect_training     *training_config;
    tl_rasterizer          *bbox_rasterizer_config;
    tl_loss_mask           *loss_mask_label_filter; /* NULL: none; the others are never NULL after loading */
    tl_list                 dataset_export_config;  /* tl_dataset_export * */
} tl_detect_experiment;
extern const tl_msg tl_detect_msg; /* of tl_detect_experiment */

/* ---- Inference ---- */
typedef struct { uint64_t set; const char *calibration_cache, *calibration_tensorfile; int n_batches; } tl_calibrator;
typedef struct { uint64_t set; const char *model; } tl_tlt_config;
enum { TL_PARSER_ETLT, TL_PARSER_UFF, TL_PARSER_CAFFE };
enum { TL_ENGINE_FP32, TL_ENGINE_FP16, TL_ENGINE_INT8 };
typedef struct {
    uint64_t       set;
    int            parser, backend_data_type;
    const char    *caffemodel, *prototxt, *uff_model, *etlt_model, *trt_engine;
    bool           save_engine;
    tl_calibrator *calibrator_config;
} tl_tensorrt_config;
typedef struct {
    uint64_t            set;
    tl_tlt_config      *tlt_config; /* one of the two is there after loading */
    tl_tensorrt_config *tensorrt_config;
    tl_list             input_nodes, output_nodes, target_classes; /* const char * */
    int                 batch_size, image_height, image_width, image_channels, gpu_index, stride;
} tl_inferencer;
typedef struct { uint64_t set; int R, G, B; } tl_bbox_color;
typedef struct {
    uint64_t       set;
    tl_clustering_config *clustering_config;
    const char    *confidence_model, *output_map;
    tl_bbox_color *bbox_color;
} tl_bbox_class;
typedef struct {
    uint64_t         set;
    bool             kitti_dump, disable_overlay;
    int              overlay_linewidth;
    tl_list          classwise_bbox_handler_config; /* tl_entry * of tl_bbox_class, "default" for the rest */
    tl_list          postproc_classes;              /* const char * */
    tl_wandb_config *wandb_config;
} tl_bbox_handler;
typedef struct {
    uint64_t         set;
    tl_inferencer   *inferencer_config;
    tl_bbox_handler *bbox_handler_config;
} tl_detect_inference;
extern const tl_msg tl_detect_inference_msg;

/* ---- What they mean, by class ---- */
typedef struct {
    const char                 *name;
    const tl_target_class      *cost;
    const tl_objective         *cov, *bbox;
    const tl_raster_class      *raster;
    const tl_clustering_config *clustering;
    float                       confidence; /* threshold of postprocessing's confidence_config; 0: none */
    float                       overlap;    /* IoU from which a detection counts as right */
    const tl_evaluation_box    *box;        /* sizes that evaluation counts */
} tl_detect_class; /* no pointer is NULL */

typedef struct tl_detect_spec {
    const tl_detect_experiment *experiment;
    const tl_arch              *arch;
    int                         n_classes;
    const tl_detect_class      *classes; /* in the order of the network's outputs */
} tl_detect_spec;

typedef struct {
    const char                 *name;   /* as the network has it */
    const char                 *label;  /* as files and pictures are to have it */
    const tl_clustering_config *clustering;
    const tl_bbox_color        *color;  /* NULL: not given */
    bool                        wanted; /* false: not among postproc_classes */
} tl_infer_class;

typedef struct tl_infer_spec {
    const tl_detect_inference *inference;
    const char                *model; /* file */
    int                        n_classes;
    const tl_infer_class      *classes;
} tl_infer_spec;

/* Read, override, complete and check a spec before any picture is touched. text NULL: the file at
 * path; otherwise path only names the text in messages. TL_ESPEC: tl_errmsg() holds every error with
 * its place. *warnings: one a line, or "". */
tl_status tl_detect_spec_load(tl_arena *a, const char *path, const char *text, const char *const *overrides, int n,
                              const tl_detect_spec **out, const char **warnings);
tl_status tl_infer_spec_load(tl_arena *a, const char *path, const char *text, const char *const *overrides, int n,
                             const tl_infer_spec **out, const char **warnings);
tl_status tl_dataset_export_load(tl_arena *a, const char *path, const char *text, const char *const *overrides, int n,
                                 const tl_dataset_export **out, const char **warnings);
/* One of dataset_export_config: its errors into the report. Part of both loads above. */
tl_status tl_dataset_export_check(tl_report *r, const tl_dataset_export *e);
/* The whole spec as text that reads back to the same values, defaults and overrides included. */
tl_status tl_detect_spec_print(tl_arena *a, const tl_detect_spec *s, const char **text);
/* The class that labels of this name train, or NULL: they are dropped. Any case. */
const tl_detect_class *tl_detect_spec_class(const tl_detect_spec *s, const char *label);
#endif

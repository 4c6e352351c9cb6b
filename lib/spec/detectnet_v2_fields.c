/* detectnet_v2_fields.c - every field of DetectNet_v2's experiment spec. SPDX-License-Identifier: MIT
 *
 * Defaults are what an unset field means in the original, save where that would be of no use (a
 * radius of 0); then they are those of the original's own sample. In protobuf 3, unset is zero. */
#include "detectnet_v2.h"
#include "spec_rows.h"

#define MOST_PIXELS 16384

static const char *const loaders[] = { "MULTISOURCE", "LEGACY", "DEFAULT", NULL };
static const char *const samplings[] = { "USER_DEFINED", "PROPORTIONAL", "UNIFORM", NULL };
static const char *const extensions[] = { "png", "jpg", "jpeg", NULL };
static const char *const objectives[] = { "cov", "bbox", NULL };
static const char *const regularizers[] = { "NO_REG", "L1", "L2", NULL };
static const char *const clusterings[] = { "DBSCAN", "NMS", "HYBRID", NULL };
static const char *const precisions[] = { "SAMPLE", "INTEGRATE", NULL };

/* ---- dataset_config ---- */
#define T tl_data_source
static const tl_field source_rows[] = {
    STR(tfrecords_path, "TFRecord files, * and ? as in a shell"),
    STR(image_directory_path, "folder from which the records or labels name their pictures"),
    TL_FX(T, label_directory_path, TL_STR, 0, 0, 0, "folder of label files, read without conversion",
          .flags = TL_EXTRA),
    FLOAT(source_weight, 1, 0, 1e6, "weight of its pictures in the loss; 0 is 1, as in the original"),
    TL_F_END
};
MESSAGE(source, "DataSource", T, "Where pictures and labels are.");
#undef T

#define T tl_detect_dataset
static const tl_field dataset_rows[] = {
    TL_FX(T, data_sources, TL_MSG, 0, 0, 0, "where to train from", .flags = TL_REPEATED | TL_REQUIRED,
          .msg = &source),
    TL_FX(T, image_extension, TL_STR, 0, 0, 0, "of the pictures, without a dot", .sdef = "png",
          .names = extensions),
    TL_FX(T, target_class_mapping, TL_MSG, 0, 0, 0,
          "from names in the labels to classes of the network; other labels are dropped",
          .flags = TL_REPEATED | TL_REQUIRED, .msg = &tl_string_entry_msg),
    TL_FX(T, validation_fold, TL_INT, -1, 0, 1e6, "fold of the records that is for validation, not for "
          "training", .flags = TL_ONEOF),
    MSG(validation_data_source, source, TL_ONEOF, "where to validate from"),
    TL_FX(T, dataloader_mode, TL_ENUM, 0, 0, 0, "which of the original's loaders", .flags = TL_NOEFFECT,
          .names = loaders),
    TL_FX(T, sampling_mode, TL_ENUM, 0, 0, 0, "how often each of several sources is drawn from", .flags = TL_NOEFFECT, .names = samplings),
    TL_F_END
};
MESSAGE(dataset, "DatasetConfig", T, "Pictures, labels and classes.");
#undef T

/* ---- augmentation_config ---- */
#define PIXELS(m, help) INT(m, 0, 0, MOST_PIXELS, help)
#define SHARE(m, def, help) FLOAT(m, def, 0, 1, help)
#define T tl_preprocessing
static const tl_field preprocessing_rows[] = {
    TL_FX(T, output_image_width, TL_INT, 0, 16, MOST_PIXELS, "of the network's input, a multiple of 16",
          .flags = TL_REQUIRED),
    TL_FX(T, output_image_height, TL_INT, 0, 16, MOST_PIXELS, "of the network's input, a multiple of 16",
          .flags = TL_REQUIRED),
    INT(output_image_channel, 3, 0, 3, "3 or 1; 0 is 3, as in the original"),
    PIXELS(output_image_min, "the smaller side after resizing; 0: both sides as above"),
    PIXELS(output_image_max, "the larger side after resizing, at most"),
    BOOL(enable_auto_resize, 0, "resize pictures, and their boxes, to the network's input"),
    PIXELS(crop_left, "part of the picture to use; all four 0: the network's input size from the upper left"),
    PIXELS(crop_top, "as crop_left"), PIXELS(crop_right, "as crop_left"), PIXELS(crop_bottom, "as crop_left"),
    FLOAT(min_bbox_width, 0, 0, MOST_PIXELS, "narrower boxes are dropped, in pixels after augmentation"),
    FLOAT(min_bbox_height, 0, 0, MOST_PIXELS, "lower boxes are dropped, in pixels after augmentation"),
    FLOAT(scale_width, 0, 0, 1000, "scale before cropping; 0: none"),
    FLOAT(scale_height, 0, 0, 1000, "scale before cropping; 0: none"),
    TL_F_END
};
MESSAGE(preprocessing, "AugmentationConfig.Preprocessing", T, "What is done to every picture.");
#undef T

#define T tl_spatial_augmentation
static const tl_field spatial_rows[] = {
    SHARE(hflip_probability, 0, "of mirroring left and right"),
    SHARE(vflip_probability, 0, "of mirroring top and bottom, which the original never does"),
    FLOAT(zoom_min, 1, SMALLEST, 100, "smallest zoom"), FLOAT(zoom_max, 1, SMALLEST, 100, "largest zoom"),
    FLOAT(translate_max_x, 0, 0, MOST_PIXELS, "most that a picture is moved sideways, in pixels"),
    FLOAT(translate_max_y, 0, 0, MOST_PIXELS, "most that a picture is moved up or down, in pixels"),
    FLOAT(rotate_rad_max, 0, 0, 6.2831855, "most that a picture is turned, in radians"),
    SHARE(rotate_probability, 0, "of turning"),
    TL_F_END
};
MESSAGE(spatial, "AugmentationConfig.SpatialAugmentation", T, "One random warp per training picture.");
#undef T

#define T tl_color_augmentation
static const tl_field color_rows[] = {
    SHARE(color_shift_stddev, 0, "standard deviation of brightness"),
    FLOAT(hue_rotation_max, 0, 0, 360, "of hue, in degrees; twice the standard deviation"),
    SHARE(saturation_shift_max, 0, "of saturation"),
    SHARE(contrast_scale_max, 0, "of contrast; twice the standard deviation"),
    SHARE(contrast_center, 0.5, "the value that contrast leaves alone"),
    TL_F_END
};
MESSAGE(color, "AugmentationConfig.ColorAugmentation", T, "One random color matrix per training picture.");
#undef T

#define T tl_detect_augmentation
static const tl_field augmentation_rows[] = {
    TL_FX(T, preprocessing, TL_MSG, 0, 0, 0, "what is done to every picture", .flags = TL_REQUIRED,
          .msg = &preprocessing),
    MSG(spatial_augmentation, spatial, 0, "one random warp per training picture"),
    MSG(color_augmentation, color, 0, "one random color matrix per training picture"),
    TL_F_END
};
MESSAGE(augmentation, "AugmentationConfig", T, "From the picture in the file to the network's input.");
#undef T

/* ---- model_config ---- */
#define INPUT TL_FX(T, input, TL_STR, 0, 0, 0, "layer that it sees; unset: the last", .flags = TL_NOEFFECT)
#define T tl_bbox_objective
static const tl_field bbox_rows[] = {
    INPUT, FLOAT(scale, 35, SMALLEST, 1e6, "pixels that an output of 1 stands for"),
    FLOAT(offset, 0.5, 0, 1e6, "from the corner of a cell to its center, in pixels"), TL_F_END
};
MESSAGE(bbox, "ModelConfig.BboxObjective", T, "Boxes.");
#undef T

#define T tl_cov_objective
static const tl_field cov_rows[] = { INPUT, TL_F_END };
MESSAGE(cov, "ModelConfig.CovObjective", T, "Coverage.");
#undef T

#define T tl_objective_set
static const tl_field set_rows[] = { MSG(bbox, bbox, 0, "boxes"), MSG(cov, cov, 0, "coverage"), TL_F_END };
MESSAGE(set, "ModelConfig.ObjectiveSet", T, "What the network predicts.");
#undef T

#define T tl_detect_model
static const tl_field model_rows[] = {
    STR(pretrained_model_file, "weights or a network to start from: a model of ours, or anything that 'tlc "
          "import' reads"),
    BOOL(freeze_pretrained_layers, 0, "do not train what pretrained_model_file gave"),
    TL_FX(T, allow_loaded_model_modification, TL_BOOL, 0, 0, 1, "permission to change the loaded network",
          .flags = TL_NOEFFECT),
    INT(num_layers, 0, 0, 1000, "depth of a resnet (0: 18), vgg (16), darknet or cspdarknet (19)"),
    BOOL(use_pooling, 0, "max pooling instead of strides"),
    BOOL(use_batch_norm, 1, "batch norm after convolutions; unset is false in the original"),
    FLOAT(dropout_rate, 0, 0, 0.99, "share of features dropped while training"),
    MSG(activation, tl_activation_msg, 0, "the activation, in place of the architecture's own"),
    MSG(objective_set, set, 0, "what the network predicts"),
    MSG(training_precision, tl_precision_msg, 0, "mixed precision, as --use_amp"),
    BOOL(freeze_bn, 0, "batch norm keeps its stored statistics"),
    TL_FX(T, freeze_blocks, TL_FLOAT, 0, 0, 32, "numbers of the blocks that are not trained",
          .flags = TL_REPEATED),
    TL_FX(T, arch, TL_STR, 0, 0, 0, "the backbone", .flags = TL_REQUIRED, .names = tl_arch_names),
    BOOL(load_graph, 0, "take the network itself from pretrained_model_file, as after pruning"),
    BOOL(all_projections, 0, "a 1x1 convolution on every shortcut"),
    TL_FX(T, whole_backbone, TL_BOOL, 0, 0, 1, "all layers of backbones with a stride of 32; their last map is enlarged and "
          "put beside that of stride 16. Otherwise, as in the original, mobilenets end at stride 16", .flags = TL_EXTRA),
    TL_FX(T, teacher_model_file, TL_STR, 0, 0, 0, "model to learn from besides the labels: the one that pretrained_model_file was "
          "pruned from", .flags = TL_EXTRA),
    TL_F_END
};
MESSAGE(model, "ModelConfig", T, "The network.");
#undef T

/* ---- cost_function_config ---- */
#define T tl_objective
static const tl_field objective_rows[] = {
    TL_FX(T, name, TL_STR, 0, 0, 0, "which output", .flags = TL_REQUIRED, .names = objectives),
    FLOAT(initial_weight, 1, 0, 1e6, "weight in the loss; 10 for bbox when not given"),
    FLOAT(weight_target, 1, 0, 1e6, "share that autoweighting aims at; 10 for bbox when not given"),
    TL_F_END
};
MESSAGE(objective, "CostFunctionConfig.TargetClass.Objective", T, "The weight of an output.");
#undef T

#define T tl_target_class
static const tl_field class_rows[] = {
    TL_FX(T, name, TL_STR, 0, 0, 0, "of the class", .flags = TL_REQUIRED),
    FLOAT(class_weight, 1, 0, 1e6, "weight in the loss"),
    SHARE(coverage_foreground_weight, 0.05, "weight of cells with an object, against those without"),
    TL_FX(T, objectives, TL_MSG, 0, 0, 0, "cov and bbox", .flags = TL_REPEATED, .msg = &objective),
    TL_F_END
};
MESSAGE(class, "CostFunctionConfig.TargetClass", T, "A class of the network.");
#undef T

#define T tl_cost_function
static const tl_field cost_rows[] = {
    TL_FX(T, target_classes, TL_MSG, 0, 0, 0, "classes, in the order of the network's outputs",
          .flags = TL_REPEATED | TL_REQUIRED,
          .msg = &class),
    BOOL(enable_autoweighting, 0, "balance the outputs after every epoch"),
    SHARE(max_objective_weight, 0.9999, "most that balancing gives to an output"),
    SHARE(min_objective_weight, 0.0001, "least that balancing gives to an output"),
    TL_F_END
};
MESSAGE(cost, "CostFunctionConfig", T, "The loss.");
#undef T

/* ---- bbox_rasterizer_config ---- */
#define T tl_raster_class
static const tl_field raster_rows[] = {
    SHARE(cov_center_x, 0.5, "middle of the ellipse, as a share of the box's width"),
    SHARE(cov_center_y, 0.5, "middle of the ellipse, as a share of the box's height"),
    SHARE(cov_radius_x, 0.4, "radius of the ellipse, as a share of the way to the box's side"),
    SHARE(cov_radius_y, 0.4, "radius of the ellipse, as a share of the way to the box's side"),
    FLOAT(bbox_min_radius, 1, 0, 100, "smallest radius, in cells of the output grid"),
    TL_F_END
};
MESSAGE(raster, "BboxRasterizerConfig.TargetClassConfig", T, "Which cells of the grid an object covers.");
#undef T
MAP_OF(rasters, "map<string, BboxRasterizerConfig.TargetClassConfig>", raster);

#define CLASSES(m, entries, help) TL_FX(T, m, TL_MSG, 0, 0, 0, help, .flags = TL_REPEATED, .msg = &entries)
#define T tl_rasterizer
static const tl_field rasterizer_rows[] = {
    CLASSES(target_class_config, rasters, "one per class; none: the defaults for all"),
    SHARE(deadzone_radius, 0.67, "where nothing else is drawn: from the ellipse (0) to the box (1)"), TL_F_END
};
MESSAGE(rasterizer, "BboxRasterizerConfig", T, "From boxes to the grid.");
#undef T

/* ---- training_config ---- */
#define RATES FLOAT(min_learning_rate, 5e-6, SMALLEST, 1000, "first and last rate"), \
              FLOAT(max_learning_rate, 5e-4, SMALLEST, 1000, "highest rate")
#define T tl_soft_start
static const tl_field soft_start_rows[] = {
    RATES, SHARE(soft_start, 0.1, "share of the training during which the rate rises"),
    SHARE(annealing, 0.7, "share of the training after which it falls"), TL_F_END
};
MESSAGE(soft_start, "SoftStartAnnealingScheduleConfig", T, "The rate rises, stays, and falls.");
#undef T

#define T tl_early_stopping
static const tl_field early_rows[] = {
    RATES, INT(soft_start_epochs, 0, 0, 1e6, "epochs during which the rate rises"),
    INT(annealing_epochs, 1, 1, 1e6, "epochs during which it falls"),
    INT(patience_steps, 1, 1, 1e6, "validations without a gain after which it begins to fall"), TL_F_END
};
MESSAGE(early, "EarlyStoppingAnnealingScheduleConfig", T,
      "The rate rises, stays while there is gain, and falls.");
#undef T

#define T tl_detect_rate
static const tl_field rate_rows[] = {
    MSG(soft_start_annealing_schedule, soft_start, TL_ONEOF, "by share of the training"),
    MSG(early_stopping_annealing_schedule, early, TL_ONEOF, "by what validation says"), TL_F_END
};
MESSAGE(rate, "LearningRateConfig", T, "How the learning rate changes.");
#undef T

#define T tl_detect_adam
static const tl_field adam_rows[] = {
    FLOAT(epsilon, 1e-8, SMALLEST, 1, "added to the root of the mean square"),
    FLOAT(beta1, 0.9, SMALLEST, 0.9999, "decay of the mean gradient"),
    FLOAT(beta2, 0.999, SMALLEST, 0.999999, "decay of the mean squared gradient"), TL_F_END
};
MESSAGE(adam, "AdamOptimizerConfig", T, "Adam.");
#undef T

#define T tl_detect_optimizer
static const tl_field optimizer_rows[] = { MSG(adam, adam, TL_ONEOF, "Adam, the only one"), TL_F_END };
MESSAGE(optimizer, "OptimizerConfig", T, "The optimizer.");
#undef T

#define T tl_detect_regularizer
static const tl_field regularizer_rows[] = {
    ENUM(type, 0, regularizers, "penalty on weights"), FLOAT(weight, 0, 0, 1000, "factor of the penalty"),
          TL_F_END
};
MESSAGE(regularizer, "RegularizerConfig", T, "weight times the sum of |w| (L1) or of w squared (L2), added to "
      "the loss.");
#undef T

#define T tl_cost_scaling
static const tl_field scaling_rows[] = {
    BOOL(enabled, 0, "for FP16; the bf16 of mixed precision here needs none"),
    FLOAT(initial_exponent, 20, SMALLEST, 1000, "the loss is multiplied by two to this"),
    FLOAT(increment, 0.005, SMALLEST, 1000, "of the exponent, after a good step"),
    FLOAT(decrement, 1, SMALLEST, 1000, "of the exponent, after an overflow"), TL_F_END
};
MESSAGE(scaling, "CostScalingConfig", T, "Scaling of the loss in the original's mixed precision.");
#undef T

#define T tl_drawn_class
static const tl_field drawn_rows[] = { NOTHING(coverage_threshold, TL_FLOAT, "from which boxes are drawn"),
      TL_F_END };
MESSAGE(drawn, "VisualizerConfig.TargetClassConfig", T, "Pictures of a class in TensorBoard.");
#undef T
MAP_OF(drawns, "map<string, VisualizerConfig.TargetClassConfig>", drawn);

#define T tl_detect_visualizer
static const tl_field visualizer_rows[] = {
    NOTHING(enabled, TL_BOOL, "pictures in TensorBoard"), NOTHING(num_images, TL_INT, "how many"),
    NOTHING(scalar_logging_frequency, TL_INT, "times per epoch"),
    NOTHING(infrequent_logging_frequency, TL_INT, "times per epoch"),
    CLASSES(target_class_config, drawns, "one per class"),
    MSG(wandb_config, tl_wandb_msg, TL_NOEFFECT, "Weights & Biases"),
    MSG(clearml_config, tl_clearml_msg, TL_NOEFFECT, "ClearML"),
    TL_F_END
};
MESSAGE(visualizer, "VisualizerConfig", T, "What the original logs beside numbers. Numbers are always logged here.");
#undef T

#define T tl_detect_training
static const tl_field training_rows[] = {
    TL_FX(T, batch_size_per_gpu, TL_INT, 0, 1, 65536, "pictures in a training step", .flags = TL_REQUIRED),
    TL_FX(T, num_epochs, TL_INT, 0, 1, 1000000, "passes over the training pictures", .flags = TL_REQUIRED),
    MSG(learning_rate, rate, 0, "how the learning rate changes"),
    MSG(regularizer, regularizer, 0, "penalty on weights"),
    MSG(optimizer, optimizer, 0, "the optimizer"),
    MSG(cost_scaling, scaling, 0, "scaling of the loss"),
    INT(checkpoint_interval, 10, 0, 1000000, "epochs between checkpoints; 0 is 10, as in the original"),
    TL_FX(T, enable_qat, TL_BOOL, 0, 0, 1, "training that knows of int8", .flags = TL_NOEFFECT),
    MSG(visualizer, visualizer, TL_NOEFFECT, "what is logged beside numbers"),
    TL_FX(T, weight_average, TL_FLOAT, 0, 0, 0.99999, "share of the old in a running average of the weights, which is what is validated and "
          "saved; 0: no average", .flags = TL_EXTRA),
    TL_FX(T, cache_mb, TL_INT, 1024, 0, 1 << 30, "megabytes of decoded pictures kept in memory", .flags = TL_EXTRA),
    TL_F_END
};
MESSAGE(training, "TrainingConfig", T, "Training.");
#undef T

/* ---- postprocessing_config ---- */
#define T tl_clustering_config
static const tl_field clustering_rows[] = {
    SHARE(coverage_threshold, 0.005, "cells below it do not count"),
    INT(minimum_bounding_box_height, 0, 0, MOST_PIXELS, "lower boxes are dropped, in pixels"),
    ENUM(clustering_algorithm, 0, clusterings, "how cells become boxes"),
    SHARE(dbscan_eps, 0.13, "1 - IoU up to which boxes are neighbors"),
    FLOAT(dbscan_min_samples, 1, 0, 1e6, "sum of coverage that makes a cluster"),
    NOTHING(neighborhood_size, TL_INT, "unused in the original"),
    FLOAT(dbscan_confidence_threshold, 0, 0, 1e6, "clusters with a smaller sum of coverage are dropped"),
    SHARE(nms_iou_threshold, 0.2, "IoU from which the weaker of two boxes is dropped"),
    SHARE(nms_confidence_threshold, 0, "weaker boxes are dropped"),
    TL_F_END
};
const tl_msg tl_clustering_msg = { "ClusteringConfig", clustering_rows, sizeof(T), "From cells to boxes." };
#undef T

#define T tl_confidence
static const tl_field confidence_rows[] = {
    FLOAT(confidence_threshold, 0, 0, 1, "weaker detections are dropped"),
    NOTHING(confidence_model_filename, TL_STR, "unused in the original"),
    NOTHING(normalization_mode, TL_STR, "unused in the original"), TL_F_END
};
MESSAGE(confidence, "ConfidenceConfig", T, "Which detections to keep.");
#undef T

#define T tl_postprocessing_class
static const tl_field post_rows[] = {
    MSG(clustering_config, tl_clustering_msg, 0, "from cells to boxes"),
    MSG(confidence_config, confidence, 0, "which to keep"), TL_F_END
};
MESSAGE(post, "PostProcessingConfig.TargetClassConfig", T, "From the grid to detections of a class.");
#undef T
MAP_OF(posts, "map<string, PostProcessingConfig.TargetClassConfig>", post);

#define T tl_postprocessing
static const tl_field postprocessing_rows[] = {
    CLASSES(target_class_config, posts, "one per class; none: the defaults for all"), TL_F_END
};
MESSAGE(postprocessing, "PostProcessingConfig", T, "From the grid to detections.");
#undef T

/* ---- evaluation_config ---- */
#define T tl_evaluation_box
static const tl_field box_rows[] = {
    PIXELS(minimum_height, "of boxes that count"), INT(maximum_height, 9999, 1, 1e6, "of boxes that count"),
    PIXELS(minimum_width, "of boxes that count"), INT(maximum_width, 9999, 1, 1e6, "of boxes that count"),
          TL_F_END
};
MESSAGE(box, "EvaluationConfig.EvaluationBoxConfig", T, "Sizes of the boxes that count, in pixels.");
#undef T
MAP_OF(boxes, "map<string, EvaluationConfig.EvaluationBoxConfig>", box);

#define T tl_detect_evaluation
static const tl_field evaluation_rows[] = {
    INT(validation_period_during_training, 10, 1, 1000000, "epochs between validations"),
    INT(first_validation_epoch, 1, 1, 1000000, "when to begin"),
    INT(early_stopping_patience_steps, 0, 0, 1000000,
          "validations without a gain after which training ends; 0: never"),
    TL_FX(T, minimum_detection_ground_truth_overlap, TL_FLOAT, 0, 0, 1,
          "IoU from which a detection is right, by class; none: 0.5 for all", .flags = TL_MAP),
    CLASSES(evaluation_box_config, boxes, "sizes that count, by class; none: all sizes"),
    ENUM(average_precision_mode, 0, precisions, "at 11 points of recall, or by the area below the curve"),
    TL_F_END
};
MESSAGE(evaluation, "EvaluationConfig", T, "Evaluation.");
#undef T

/* ---- loss_mask_label_filter ---- */
#define SIDE(m, def, help) FLOAT(m, def, 0, 1e6, help)
#define T tl_filter_size
static const tl_field filter_size_rows[] = {
    SIDE(min_width, 0, "pixels"), SIDE(min_height, 0, "pixels"), SIDE(max_width, 1e6, "pixels"),
    SIDE(max_height, 1e6, "pixels"), TL_F_END
};
MESSAGE(filter_size, "LabelFilter.BboxDimensionsLabelFilter", T, "Labels of these sizes.");
#undef T

#define T tl_filter_crop
static const tl_field filter_crop_rows[] = {
    SIDE(crop_left, 0, "pixels"), SIDE(crop_right, 1e6, "pixels"), SIDE(crop_top, 0, "pixels"),
    SIDE(crop_bottom, 1e6, "pixels"), TL_F_END
};
MESSAGE(filter_crop, "LabelFilter.BboxCropLabelFilter", T, "Labels within this part of the picture.");
#undef T

#define T tl_filter_class
static const tl_field filter_class_rows[] = { STRINGS(source_class_names, TL_REQUIRED, "names in the labels"),
      TL_F_END };
MESSAGE(filter_class, "LabelFilter.SourceClassLabelFilter", T, "Labels of these names.");
#undef T

#define T tl_label_filter
static const tl_field filter_rows[] = {
    MSG(bbox_dimensions_label_filter, filter_size, TL_ONEOF, "by size"),
    MSG(bbox_crop_label_filter, filter_crop, TL_ONEOF, "by place"),
    MSG(source_class_label_filter, filter_class, TL_ONEOF, "by name"), TL_F_END
};
MESSAGE(filter, "LabelFilter", T, "Which labels make the mask.");
#undef T

#define T tl_objective_filter
static const tl_field objective_filter_rows[] = {
    TL_FX(T, label_filter, TL_MSG, 0, 0, 0, "which labels make the mask", .flags = TL_REQUIRED, .msg = &filter),
    STRINGS(target_class_names, 0, "classes whose loss is masked; none: all"),
    TL_FX(T, objective_names, TL_STR, 0, 0, 0, "outputs whose loss is masked; none: both", .flags = TL_REPEATED,
          .names = objectives),
    TL_F_END
};
MESSAGE(objective_filter, "ObjectiveLabelFilter.ObjectiveLabelFilterConfig", T, "A mask.");
#undef T

#define T tl_loss_mask
static const tl_field mask_rows[] = {
    TL_FX(T, objective_label_filter_configs, TL_MSG, 0, 0, 0, "the masks", .flags = TL_REPEATED,
          .msg = &objective_filter),
    FLOAT(mask_multiplier, 0, 0, 1e6, "of the loss where the mask is"),
    BOOL(preserve_ground_truth, 0, "leave the loss as it is where objects are"), TL_F_END
};
MESSAGE(mask, "ObjectiveLabelFilter", T, "Where the loss counts less, as for labels that are not to be learned.");
#undef T

/* ---- Experiment ---- */
#define SECTION(m, message, bits, help) TL_FX(T, m, TL_MSG, 0, 0, 0, help, .flags = bits, .msg = &message)
#define T tl_detect_experiment
static const tl_field experiment_rows[] = {
    INT(random_seed, 42, 0, 2147483647, "the same seed gives the same weights, bit for bit"),
    SECTION(dataset_config, dataset, TL_REQUIRED, "pictures, labels and classes"),
    SECTION(augmentation_config, augmentation, TL_REQUIRED,
          "from the picture in the file to the network's input"),
    SECTION(postprocessing_config, postprocessing, 0, "from the grid to detections"),
    SECTION(model_config, model, TL_REQUIRED, "the network"),
    SECTION(evaluation_config, evaluation, 0, "evaluation"),
    SECTION(cost_function_config, cost, TL_REQUIRED, "the classes and the loss"),
    SECTION(training_config, training, TL_REQUIRED, "training"),
    SECTION(bbox_rasterizer_config, rasterizer, 0, "from boxes to the grid"),
    SECTION(loss_mask_label_filter, mask, 0, "where the loss counts less"),
    TL_FX(T, dataset_export_config, TL_MSG, 0, 0, 0, "how the data sets are converted; for dataset_convert",
          .flags = TL_REPEATED,
          .msg = &tl_dataset_export_msg),
    TL_F_END
};
const tl_msg tl_detect_msg = { "Experiment", experiment_rows, sizeof(T), "Object detection with DetectNet_v2." };
#undef T

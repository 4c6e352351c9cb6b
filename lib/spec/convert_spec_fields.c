/* convert_spec_fields.c - every field of the spec that dataset_convert reads.
 * SPDX-License-Identifier: MIT */
#include "detectnet_v2.h"
#include "spec_rows.h"

static const char *const extensions[] = { ".png", ".jpg", ".jpeg", NULL };
static const char *const modes[] = { "random", "sequence", NULL };

#define ROOT TL_FX(T, root_directory_path, TL_STR, 0, 0, 0, "folder of the data set", .flags = TL_REQUIRED)
#define T tl_kitti_config
static const tl_field kitti_rows[] = {
    ROOT,
    TL_FX(T, image_dir_name, TL_STR, 0, 0, 0, "folder of the pictures, in the data set", .flags = TL_REQUIRED),
    TL_FX(T, label_dir_name, TL_STR, 0, 0, 0, "folder of the labels, in the data set", .flags = TL_REQUIRED),
    NOTHING(point_clouds_dir, TL_STR, "folder of point clouds"),
    NOTHING(calibrations_dir, TL_STR, "folder of calibrations"),
    STR(kitti_sequence_to_frames_file, "JSON file, from names of sequences to those of their frames; for "
          "partition_mode \"sequence\""),
    TL_FX(T, image_extension, TL_STR, 0, 0, 0, "of the pictures, with a dot", .sdef = ".png",
          .names = extensions),
    INT(num_partitions, 2, 1, 1000, "folds; 2 in mode \"random\", the first for validation"),
    INT(num_shards, 0, 0, 100000, "files of a fold; 0: one"),
    TL_FX(T, partition_mode, TL_STR, 0, 0, 0, "by name of the file, or whole sequences", .sdef = "random",
          .names = modes),
    FLOAT(val_split, 0, 0, 99.9999, "percent of the pictures for validation, in mode \"random\""),
    TL_F_END
};
MESSAGE(kitti, "KITTIConfig", T, "A data set with a label file for each picture.");
#undef T

#define T tl_coco_config
static const tl_field coco_rows[] = {
    ROOT,
    STRINGS(img_dir_names, TL_REQUIRED, "folders of the pictures, one per fold"),
    STRINGS(annotation_files, TL_REQUIRED, "JSON files of the labels, one per fold"),
    INT(num_partitions, 2, 1, 1000, "folds"),
    TL_FX(T, num_shards, TL_INT, 0, 0, 100000, "files of each fold; 0: one", .flags = TL_REPEATED),
    TL_F_END
};
MESSAGE(coco, "COCOConfig", T, "A data set with one label file for each fold.");
#undef T

#define T tl_sample_modifier
static const tl_field modifier_rows[] = {
    STRINGS(filter_samples_containing_only, 0, "pictures that have only objects of these classes are left out"),
    STRINGS(dominant_target_classes, 0, "classes against which the imbalance is counted"),
    TL_FX(T, minimum_target_class_imbalance, TL_FLOAT, 0, 0, 1e6,
          "a picture with more objects of the class per dominant object is repeated", .flags = TL_MAP),
    INT(num_duplicates, 0, 0, 1000, "how often it is repeated"),
    INT(max_training_samples, 0, 0, 1000000000, "most pictures for training; 0: all"),
    TL_FX(T, source_to_target_class_mapping, TL_MSG, 0, 0, 0,
          "from names in the labels to classes, for counting only",
          .flags = TL_REPEATED, .msg = &tl_string_entry_msg),
    TL_F_END
};
MESSAGE(modifier, "DatasetExportConfig.SampleModifierConfig", T,
      "Which training pictures to leave out or repeat.");
#undef T

#define T tl_dataset_export
static const tl_field export_rows[] = {
    MSG(coco_config, coco, TL_ONEOF, "one label file for each fold"),
    MSG(kitti_config, kitti, TL_ONEOF, "a label file for each picture"),
    MSG(sample_modifier_config, modifier, 0, "which training pictures to leave out or repeat"),
    STR(image_directory_path, "folder from which the records name their pictures"),
    TL_FX(T, target_class_mapping, TL_MSG, 0, 0, 0, "names are mapped when training",
          .flags = TL_REPEATED | TL_NOEFFECT, .msg = &tl_string_entry_msg),
    TL_F_END
};
const tl_msg tl_dataset_export_msg = { "DatasetExportConfig", export_rows, sizeof(T),
      "From labels to TFRecords." };
#undef T

/* minimal_spec.h - the least that DetectNet_v2's experiment spec needs. SPDX-License-Identifier: MIT */
#ifndef TL_MINIMAL_SPEC_H
#define TL_MINIMAL_SPEC_H

#define MINIMAL                                                                                       \
    "dataset_config {\n"                                                                              \
    "  data_sources { tfrecords_path: \"r-*\" image_directory_path: \"d\" }\n"                        \
    "  target_class_mapping { key: \"car\" value: \"car\" }\n"                                        \
    "  validation_fold: 0\n"                                                                          \
    "}\n"                                                                                             \
    "augmentation_config { preprocessing { output_image_width: 960 output_image_height: 544 } }\n"    \
    "model_config { arch: \"resnet\" }\n"                                                             \
    "cost_function_config { target_classes { name: \"car\" } }\n"                                     \
    "training_config { batch_size_per_gpu: 4 num_epochs: 10 }\n"
#endif

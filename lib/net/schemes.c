/* schemes.c - how other programs name and set up the networks we have. SPDX-License-Identifier: MIT
 *
 * A rule is a pattern there and a pattern here: # stands for a number, @ for a small letter (a is 0). In a plain rule
 * what the pattern there caught goes into the pattern here, in order. In an NTH rule only the order counts: the first
 * layer there is the first here. A rule is about convolutions or about batch norm, as our layer is; of two rules for
 * one name, the one whose kind is right counts. A rule without a pattern here names what we have no use for.
 *
 * An edit is a setting in which the other program's network differs from ours, for all nodes of an operation or for one
 * by name. */
#include "match.h"

#define NTH true

/* ---- ResNet: torchvision and timm alike. The bottleneck's stride is in its 3x3 (known as version 1.5). ---- */
static const tl_rule resnet_names[] = {
    { "conv1", "conv1", 0 },
    { "bn1", "bn_conv1", 0 },
    { "layer#.#.conv#", "block_#@_conv_#", 0 },
    { "layer#.#.bn#", "block_#@_bn_#", 0 },
    { "layer#.#.downsample.0", "block_#@_conv_shortcut", 0 },
    { "layer#.#.downsample.1", "block_#@_bn_shortcut", 0 },
    { "fc", "predictions", 0 },
    { 0 },
};
static const tl_edit torch_bn[] = { { &tl_op_bn, NULL, "eps=1e-5" }, { 0 } };
static const tl_edit resnet_late_stride[] = {
    { &tl_op_bn, NULL, "eps=1e-5" },
    { NULL, "block_2a_conv_1", "stride=1" }, { NULL, "block_2a_conv_2", "stride=2" },
    { NULL, "block_3a_conv_1", "stride=1" }, { NULL, "block_3a_conv_2", "stride=2" },
    { NULL, "block_4a_conv_1", "stride=1" }, { NULL, "block_4a_conv_2", "stride=2" },
    { 0 },
};

/* ---- VGG ---- */
static const tl_rule vgg_names[] = {
    { "features.#", "block_#@_conv_1", NTH }, { "features.#", "block_#@_bn_1", NTH },
    { "classifier.0", "fc1", 0 },             { "classifier.3", "fc2", 0 },
    { "classifier.6", "output_fc", 0 },       { "pre_logits.fc1", "fc1", 0 },
    { "pre_logits.fc2", "fc2", 0 },           { "head.fc", "output_fc", 0 },
    { 0 },
};

/* ---- GoogLeNet. torchvision's "5x5" branch is a 3x3 convolution, which is a 5x5 with zeros around it. ---- */
static const tl_rule googlenet_names[] = {
    { "conv1.conv", "conv1", 0 },          { "conv1.bn", "bn_conv1", 0 },
    { "conv2.conv", "conv2_reduce", 0 },   { "conv2.bn", "bn_conv2_reduce", 0 },
    { "conv3.conv", "conv2", 0 },          { "conv3.bn", "bn_conv2", 0 },
    { "inception#@.branch1.conv", "inception_#@_1x1", 0 },
    { "inception#@.branch1.bn", "inception_#@_1x1_bn", 0 },
    { "inception#@.branch2.0.conv", "inception_#@_3x3_reduce", 0 },
    { "inception#@.branch2.0.bn", "inception_#@_3x3_reduce_bn", 0 },
    { "inception#@.branch2.1.conv", "inception_#@_3x3", 0 },
    { "inception#@.branch2.1.bn", "inception_#@_3x3_bn", 0 },
    { "inception#@.branch3.0.conv", "inception_#@_5x5_reduce", 0 },
    { "inception#@.branch3.0.bn", "inception_#@_5x5_reduce_bn", 0 },
    { "inception#@.branch3.1.conv", "inception_#@_5x5", 0 },
    { "inception#@.branch3.1.bn", "inception_#@_5x5_bn", 0 },
    { "inception#@.branch4.1.conv", "inception_#@_pool_proj", 0 },
    { "inception#@.branch4.1.bn", "inception_#@_pool_proj_bn", 0 },
    { "fc", "predictions", 0 },
    { "aux#.conv.conv", NULL, 0 },         { "aux#.conv.bn", NULL, 0 },
    { "aux#.fc#", NULL, 0 },
    { 0 },
};

/* Its pools between stages round up. Those before the last are 3x3. */
static const tl_edit googlenet_pools[] = {
    { NULL, "pool1", "k=3" }, { NULL, "pool2", "k=3" }, { NULL, "pool3", "k=3" },
    { NULL, "pool1", "extra=1" }, { NULL, "pool2", "extra=1" }, { NULL, "pool3", "extra=1" },
    { NULL, "pool4", "extra=1" },
    { 0 },
};

/* ---- MobileNet v2 ---- */
static const tl_rule mobilenet_v2_names[] = {
    { "features.0.0", "conv1", 0 },
    { "features.0.1", "bn_conv1", 0 },
    { "features.1.conv.0.0", "expanded_conv_depthwise", 0 },
    { "features.1.conv.0.1", "expanded_conv_depthwise_bn", 0 },
    { "features.1.conv.1", "expanded_conv_project", 0 },
    { "features.1.conv.2", "expanded_conv_project_bn", 0 },
    { "features.#.conv.0.0", "block_#_expand", NTH },
    { "features.#.conv.0.1", "block_#_expand_bn", NTH },
    { "features.#.conv.1.0", "block_#_depthwise", NTH },
    { "features.#.conv.1.1", "block_#_depthwise_bn", NTH },
    { "features.#.conv.2", "block_#_project", NTH },
    { "features.#.conv.3", "block_#_project_bn", NTH },
    { "features.18.0", "conv_1", 0 },
    { "features.18.1", "conv_1_bn", 0 },
    { "classifier.1", "predictions", 0 },
    { 0 },
};
static const tl_rule old_mobilenet_v2_names[] = { /* torchvision before 0.4, and what was written after it */
    { "features.0.0", "conv1", 0 },
    { "features.0.1", "bn_conv1", 0 },
    { "features.1.conv.0", "expanded_conv_depthwise", 0 },
    { "features.1.conv.1", "expanded_conv_depthwise_bn", 0 },
    { "features.1.conv.3", "expanded_conv_project", 0 },
    { "features.1.conv.4", "expanded_conv_project_bn", 0 },
    { "features.#.conv.0", "block_#_expand", NTH },
    { "features.#.conv.1", "block_#_expand_bn", NTH },
    { "features.#.conv.3", "block_#_depthwise", NTH },
    { "features.#.conv.4", "block_#_depthwise_bn", NTH },
    { "features.#.conv.6", "block_#_project", NTH },
    { "features.#.conv.7", "block_#_project_bn", NTH },
    { "features.18.0", "conv_1", 0 },
    { "features.18.1", "conv_1_bn", 0 },
    { "classifier.1", "predictions", 0 },
    { 0 },
};
static const tl_rule timm_mobilenet_v2_names[] = {
    { "conv_stem", "conv1", 0 },
    { "bn1", "bn_conv1", 0 },
    { "blocks.0.0.conv_dw", "expanded_conv_depthwise", 0 },
    { "blocks.0.0.bn1", "expanded_conv_depthwise_bn", 0 },
    { "blocks.0.0.conv_pw", "expanded_conv_project", 0 },
    { "blocks.0.0.bn2", "expanded_conv_project_bn", 0 },
    { "blocks.#.#.conv_pw", "block_#_expand", NTH },
    { "blocks.#.#.bn1", "block_#_expand_bn", NTH },
    { "blocks.#.#.conv_dw", "block_#_depthwise", NTH },
    { "blocks.#.#.bn2", "block_#_depthwise_bn", NTH },
    { "blocks.#.#.conv_pwl", "block_#_project", NTH },
    { "blocks.#.#.bn3", "block_#_project_bn", NTH },
    { "conv_head", "conv_1", 0 },
    { "bn2", "conv_1_bn", 0 },
    { "classifier", "predictions", 0 },
    { 0 },
};
static const tl_edit relu6_bn[] = { { &tl_op_bn, NULL, "eps=1e-5" }, { &tl_op_relu, NULL, "max=6" }, { 0 } };

/* ---- MobileNet v1 ---- */
static const tl_rule timm_mobilenet_v1_names[] = {
    { "conv_stem", "conv1", 0 },
    { "bn1", "conv1_bn", 0 },
    { "blocks.#.#.conv_dw", "conv_dw_#", NTH },
    { "blocks.#.#.bn1", "conv_dw_#_bn", NTH },
    { "blocks.#.#.conv_pw", "conv_pw_#", NTH },
    { "blocks.#.#.bn2", "conv_pw_#_bn", NTH },
    { "classifier", "predictions", 0 },
    { 0 },
};

/* ---- SqueezeNet 1.0: no padding at its first convolution; pools round up: one more row and column at the end ---- */
static const tl_rule squeezenet_names[] = {
    { "features.0", "conv1", 0 },
    { "features.#.squeeze", "fire#_squeeze_conv", NTH },
    { "features.#.expand1x1", "fire#_expand_conv1x1", NTH },
    { "features.#.expand3x3", "fire#_expand_conv3x3", NTH },
    { "classifier.1", "conv10", 0 },
    { 0 },
};
static const tl_edit squeezenet_pads[] = {
    { NULL, "conv1", "pad=0" },
    { &tl_op_maxpool, NULL, "pad=0" },
    { &tl_op_maxpool, NULL, "extra=1" },
    { 0 },
};

/* ---- EfficientNet: torchvision, timm, and the package efficientnet_pytorch, which counts blocks through and pads as
 * TensorFlow and we do ---- */
static const tl_rule efficientnet_names[] = {
    { "features.0.0", "stem_conv", 0 },
    { "features.0.1", "stem_bn", 0 },
    { "features.1.0.block.0.0", "block1a_dwconv", 0 },
    { "features.1.0.block.0.1", "block1a_bn", 0 },
    { "features.1.0.block.1.fc1", "block1a_se_reduce", 0 },
    { "features.1.0.block.1.fc2", "block1a_se_expand", 0 },
    { "features.1.0.block.2.0", "block1a_project_conv", 0 },
    { "features.1.0.block.2.1", "block1a_project_bn", 0 },
    { "features.#.#.block.0.0", "block#@_expand_conv", 0 },
    { "features.#.#.block.0.1", "block#@_expand_bn", 0 },
    { "features.#.#.block.1.0", "block#@_dwconv", 0 },
    { "features.#.#.block.1.1", "block#@_bn", 0 },
    { "features.#.#.block.2.fc1", "block#@_se_reduce", 0 },
    { "features.#.#.block.2.fc2", "block#@_se_expand", 0 },
    { "features.#.#.block.3.0", "block#@_project_conv", 0 },
    { "features.#.#.block.3.1", "block#@_project_bn", 0 },
    { "features.8.0", "top_conv", 0 },
    { "features.8.1", "top_bn", 0 },
    { "classifier.1", "predictions", 0 },
    { 0 },
};
static const tl_rule timm_efficientnet_names[] = {
    { "conv_stem", "stem_conv", 0 },
    { "bn1", "stem_bn", 0 },
    { "blocks.0.0.conv_dw", "block1a_dwconv", 0 },
    { "blocks.0.0.bn1", "block1a_bn", 0 },
    { "blocks.0.0.conv_pw", "block1a_project_conv", 0 },
    { "blocks.0.0.bn2", "block1a_project_bn", 0 },
    { "blocks.#.#.conv_pw", "block#@_expand_conv", NTH },
    { "blocks.#.#.bn1", "block#@_expand_bn", NTH },
    { "blocks.#.#.conv_dw", "block#@_dwconv", NTH },
    { "blocks.#.#.bn2", "block#@_bn", NTH },
    { "blocks.#.#.se.conv_reduce", "block#@_se_reduce", NTH },
    { "blocks.#.#.se.conv_expand", "block#@_se_expand", NTH },
    { "blocks.#.#.conv_pwl", "block#@_project_conv", NTH },
    { "blocks.#.#.bn3", "block#@_project_bn", NTH },
    { "conv_head", "top_conv", 0 },
    { "bn2", "top_bn", 0 },
    { "classifier", "predictions", 0 },
    { 0 },
};
static const tl_rule efficientnet_pytorch_names[] = {
    { "_conv_stem", "stem_conv", 0 },
    { "_bn0", "stem_bn", 0 },
    { "_blocks.#._expand_conv", "block#@_expand_conv", NTH },
    { "_blocks.#._bn0", "block#@_expand_bn", NTH },
    { "_blocks.#._depthwise_conv", "block#@_dwconv", NTH },
    { "_blocks.#._bn1", "block#@_bn", NTH },
    { "_blocks.#._se_reduce", "block#@_se_reduce", NTH },
    { "_blocks.#._se_expand", "block#@_se_expand", NTH },
    { "_blocks.#._project_conv", "block#@_project_conv", NTH },
    { "_blocks.#._bn2", "block#@_project_bn", NTH },
    { "_conv_head", "top_conv", 0 },
    { "_bn1", "top_bn", 0 },
    { "_fc", "predictions", 0 },
    { 0 },
};
#define EVEN_PADS(node, k) { NULL, node, "pad=" k }, { NULL, node, "extra=0" }
static const tl_edit even_pads[] = {
    { &tl_op_bn, NULL, "eps=1e-5" },
    EVEN_PADS("stem_conv", "1"), EVEN_PADS("block2a_dwconv", "1"), EVEN_PADS("block3a_dwconv", "2"),
    EVEN_PADS("block4a_dwconv", "1"), EVEN_PADS("block6a_dwconv", "2"),
    { 0 },
};

/* ---- Keras' own networks (keras.applications). They pad as TensorFlow does: at stride 2 on the right and bottom. ---- */
#define LATE_PADS(node) { NULL, node, "pad=0" }, { NULL, node, "extra=1" }
static const tl_rule keras_mobilenet_v1_names[] = {
    { "conv1", "conv1", 0 },             { "conv1_bn", "conv1_bn", 0 },
    { "conv_dw_#", "conv_dw_#", 0 },     { "conv_dw_#_bn", "conv_dw_#_bn", 0 },
    { "conv_pw_#", "conv_pw_#", 0 },     { "conv_pw_#_bn", "conv_pw_#_bn", 0 },
    { "conv_preds", "predictions", 0 },
    { 0 },
};
static const tl_edit keras_mobilenet_v1[] = {
    { &tl_op_bn, NULL, "eps=1e-3" }, { &tl_op_relu, NULL, "max=6" },
    LATE_PADS("conv1"), LATE_PADS("conv_dw_2"), LATE_PADS("conv_dw_4"), LATE_PADS("conv_dw_6"), LATE_PADS("conv_dw_12"),
    { 0 },
};
static const tl_rule keras_mobilenet_v2_names[] = {
    { "Conv1", "conv1", 0 },
    { "bn_Conv1", "bn_conv1", 0 },
    { "expanded_conv_depthwise", "expanded_conv_depthwise", 0 },
    { "expanded_conv_depthwise_BN", "expanded_conv_depthwise_bn", 0 },
    { "expanded_conv_project", "expanded_conv_project", 0 },
    { "expanded_conv_project_BN", "expanded_conv_project_bn", 0 },
    { "block_#_expand", "block_#_expand", 0 },
    { "block_#_expand_BN", "block_#_expand_bn", 0 },
    { "block_#_depthwise", "block_#_depthwise", 0 },
    { "block_#_depthwise_BN", "block_#_depthwise_bn", 0 },
    { "block_#_project", "block_#_project", 0 },
    { "block_#_project_BN", "block_#_project_bn", 0 },
    { "Conv_1", "conv_1", 0 },
    { "Conv_1_bn", "conv_1_bn", 0 },
    { "predictions", "predictions", 0 },
    { 0 },
};
static const tl_edit keras_mobilenet_v2[] = {
    { &tl_op_bn, NULL, "eps=1e-3" }, { &tl_op_relu, NULL, "max=6" },
    LATE_PADS("conv1"), LATE_PADS("block_1_depthwise"), LATE_PADS("block_3_depthwise"),
    LATE_PADS("block_6_depthwise"), LATE_PADS("block_13_depthwise"),
    { 0 },
};
static const tl_rule keras_resnet_names[] = {
    { "conv1_conv", "conv1", 0 },
    { "conv1_bn", "bn_conv1", 0 },
    { "conv#_block#_0_conv", "block_#@_conv_shortcut", NTH },
    { "conv#_block#_0_bn", "block_#@_bn_shortcut", NTH },
    { "conv#_block#_1_conv", "block_#@_conv_1", NTH }, { "conv#_block#_1_bn", "block_#@_bn_1", NTH },
    { "conv#_block#_2_conv", "block_#@_conv_2", NTH }, { "conv#_block#_2_bn", "block_#@_bn_2", NTH },
    { "conv#_block#_3_conv", "block_#@_conv_3", NTH }, { "conv#_block#_3_bn", "block_#@_bn_3", NTH },
    { "predictions", "predictions", 0 },
    { 0 },
};
static const tl_edit keras_resnet[] = { { &tl_op_bn, NULL, "eps=1.001e-5" }, { 0 } };
static const tl_rule keras_vgg_names[] = {
    { "block#_conv#", "block_#@_conv_1", NTH },
    { "fc1", "fc1", 0 },                 { "fc2", "fc2", 0 },
    { "predictions", "output_fc", 0 },
    { 0 },
};

#define BN        { .bn = true }
#define TORCH     .center_crop = true, .mode = "imagenet"
#define TF        .center_crop = true, .mode = "tf"
static const tl_scheme schemes[] = {
    { "torchvision and timm", "resnet", resnet_names, resnet_late_stride, { .bn = true, .pooling = true }, TORCH,
      .sign = "block_1a_conv_3" },
    { "torchvision and timm", "resnet", resnet_names, torch_bn, { .bn = true, .pooling = true }, TORCH },
    { "torchvision and timm", "vgg", vgg_names, torch_bn, { .bn = true, .bias = true, .pooling = true },
      .own_head = true, TORCH },
    { "torchvision and timm, without batch norm", "vgg", vgg_names, NULL, { .bias = true, .pooling = true },
      .own_head = true, TORCH },
    { "torchvision", "googlenet", googlenet_names, googlenet_pools, { .bn = true, .own_head = true }, TF },
    { "torchvision", "mobilenet_v2", mobilenet_v2_names, relu6_bn, BN, TORCH },
    { "early torchvision", "mobilenet_v2", old_mobilenet_v2_names, relu6_bn, BN, TORCH },
    { "timm", "mobilenet_v2", timm_mobilenet_v2_names, relu6_bn, BN, TORCH },
    { "timm", "mobilenet_v1", timm_mobilenet_v1_names, relu6_bn, BN, TF },
    { "torchvision", "squeezenet", squeezenet_names, squeezenet_pads, { .bn = false }, .own_head = true, TORCH },
    { "torchvision", "efficientnet_b0", efficientnet_names, even_pads, BN, TORCH },
    { "timm", "efficientnet_b0", timm_efficientnet_names, even_pads, BN, TORCH },
    { "efficientnet_pytorch", "efficientnet_b0", efficientnet_pytorch_names, NULL, BN, TORCH },
    { "timm", "efficientnet_lite0", timm_efficientnet_names, even_pads, BN, TORCH },
    { "efficientnet_lite_pytorch", "efficientnet_lite0", efficientnet_pytorch_names, NULL, BN, TF },
    { "Keras", "mobilenet_v1", keras_mobilenet_v1_names, keras_mobilenet_v1, BN, .mode = "tf" },
    { "Keras", "mobilenet_v2", keras_mobilenet_v2_names, keras_mobilenet_v2, BN, .mode = "tf" },
    { "Keras", "resnet", keras_resnet_names, keras_resnet, { .bn = true, .pooling = true }, .mode = "caffe",
      .sign = "block_1a_conv_3" },
    { "Keras", "vgg", keras_vgg_names, NULL, { .bias = true, .pooling = true }, .own_head = true, .mode = "caffe" },
};

const tl_scheme *tl_scheme_at(int i) { return i < TL_LEN(schemes) ? schemes + i : NULL; }

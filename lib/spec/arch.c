/* arch.c - the backbones as specs see them: names, sizes, blocks. SPDX-License-Identifier: MIT */
#include "spec_common.h"
#include <string.h>

const char *const tl_arch_names[] = {
    "resnet", "vgg", "alexnet", "googlenet", "mobilenet_v1", "mobilenet_v2", "squeezenet", "darknet",
    "cspdarknet", "efficientnet_b0", "efficientnet_b1", "efficientnet_lite0", "onnx", NULL
};

static const tl_arch archs[] = {
    { "resnet", { 10, 18, 34, 50, 101 }, 18, 0, 4, false }, { "vgg", { 16, 19 }, 16, 1, 5, false },
    { "darknet", { 19, 53 }, 19, 0, 5, false },             { "cspdarknet", { 19, 53 }, 19, 0, 5, false },
    { "alexnet", { 0 }, 0, 1, 8, false },                   { "googlenet", { 0 }, 0, 0, 9, false },
    { "mobilenet_v1", { 0 }, 0, 0, 13, true },              { "mobilenet_v2", { 0 }, 0, 0, 18, true },
    { "squeezenet", { 0 }, 0, 0, 8, false },                { "efficientnet_b0", { 0 }, 0, 0, 8, false },
    { "efficientnet_b1", { 0 }, 0, 0, 8, false },           { "efficientnet_lite0", { 0 }, 0, 0, 8, false },
    { "onnx", { 0 }, 0, 0, 7, false },
};

const tl_arch *tl_arch_find(const char *name)
{
    const tl_arch *a = archs, *end = archs + TL_LEN(archs);
    while (a < end && strcmp(a->name, name)) a++;
    assert(a < end);
    return a;
}

tl_status tl_arch_layers(tl_report *r, tl_place at, const tl_arch *a, const char *field, int *n)
{
    if (!a->usual)
        return *n ? tl_report_warn(r, at, "%s has no effect: %s comes in one size", field, a->name) : TL_OK;
    if (!*n) *n = a->usual;
    char buf[128];
    tl_text sizes = tl_text_on(buf, sizeof buf);
    for (const int *size = a->layers; *size; size++) {
        if (*size == *n) return TL_OK;
        tl_textf(&sizes, "%s%d", size > a->layers ? ", " : "", *size);
    }
    return tl_report_error(r, at, "%s: expected one of %s for %s, found %d", field, buf, a->name, *n);
}

tl_status tl_arch_block(tl_report *r, tl_place at, const tl_arch *a, int block)
{
    if (block >= a->first_block && block <= a->last_block) return TL_OK;
    return tl_report_error(r, at, "freeze_blocks: %s has the blocks %d to %d, found %d", a->name,
                           a->first_block, a->last_block, block);
}

/* norm.c - the original's preprocessing modes. SPDX-License-Identifier: MIT */
#include "data.h"
#include <string.h>

/* All on pixels of 0..255. The torch mode divides every channel by 0.224, as the original's loader
 * does (PyTorch's own recipe has 0.229, 0.224, 0.225). */
static const struct {
    const char *name;
    bool bgr;
    float mean[3], gray, std;
} modes[] = {
    { "caffe", true, { 103.939f, 116.779f, 123.68f }, 117.3786f, 1 },
    { "torch", false, { 0.485f * 255, 0.456f * 255, 0.406f * 255 }, 0.449f * 255, 0.224f * 255 },
    { "tf", false, { 127.5f, 127.5f, 127.5f }, 127.5f, 127.5f },
    { "unit", false, { 0, 0, 0 }, 0, 255 }, /* DetectNet_v2 */
};

tl_status tl_norm_for(const char *mode, int channels, const float *mean, tl_norm *out)
{
    TL_CHECK(channels == 1 || channels == 3, TL_EARG, "pictures have 1 or 3 channels, not %d",
             channels);
    if (!mode || !*mode) mode = "caffe";
    int m = 0;
    while (m < TL_LEN(modes) && strcmp(modes[m].name, mode)) m++;
    TL_CHECK(m < TL_LEN(modes), TL_EARG, "unknown preprocess_mode \"%s\"; use caffe, torch or tf",
             mode);
    TL_CHECK(!mean || m == 0, TL_EARG,
             "image_mean belongs to preprocess_mode \"caffe\", not \"%s\"", mode);
    for (int c = 0; c < 3; c++) {
        out->order[c] = channels == 1 ? 0 : modes[m].bgr ? 2 - c : c;
        out->mean[c] = mean            ? mean[channels == 1 ? 0 : c]
                       : channels == 1 ? modes[m].gray
                                       : modes[m].mean[c];
        out->rstd[c] = 1 / modes[m].std;
    }
    return TL_OK;
}

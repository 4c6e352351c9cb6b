/* deepstream.h - what DeepStream's nvinfer wants to know of a model. SPDX-License-Identifier: MIT */
#ifndef TL_DEEPSTREAM_H
#define TL_DEEPSTREAM_H
#include "detect.h"
#include "text.h"

/* Write labels.txt and nvinfer_config.txt beside the file of a model. */
tl_status tl_deepstream_write(tl_arena *a, const char *model, tl_text *labels, tl_text *config);

/* Both for a DetectNet_v2 model without tl_detect_postprocess; channels: 3 or 1; names and c: one for each class of g. nvinfer
 * takes pictures as that wants them (r,g,b / 255), stretches them to the input, and clusters all classes by one method, that of
 * the first class; where classes differ, the file says so. TL_EUNSUP: its parser knows distances in units of 35 pixels from
 * points 0.5 pixels into a cell only. */
tl_status tl_deepstream_detectnet(tl_arena *a, const char *model, const char *const *names, int channels, const tl_cells *g,
                                  const tl_clustering *c);
tl_status tl_deepstream_detectnet_can(const tl_cells *g); /* would it be TL_EUNSUP? */
#endif

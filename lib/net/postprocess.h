/* postprocess.h - what follows a detector's network, as part of its ONNX graph. SPDX-License-Identifier: MIT */
#ifndef TL_POSTPROCESS_H
#define TL_POSTPROCESS_H
#include "detect.h"
#include "onnx.h"

/* Append to a DetectNet_v2 model, whose outputs cov (N x C x h x w) and bbox (N x 4C x h x w) then are none any more, what makes
 * objects of them, in standard operators, so that any runtime of ONNX gives, for K objects in all pictures of a batch,
 *   boxes    K x 4  float  left, top, right, bottom, in pixels of the network's input
 *   scores   K      float  coverage, 0..1
 *   classes  K      int64  index into the model's classes
 *   pictures K      int64  which of the batch
 * Objects are gathered by NMS, as tl_cells_detect does it with TL_NMS, and with the same results: cells must have more coverage
 * than c->coverage and c->nms_confidence, boxes must be higher than c->min_height, and of those that overlap by more than
 * c->nms_iou the best stays. ONNX has no operator for DBSCAN, so c->kind and what belongs to it have no effect: a model whose
 * thresholds were chosen for DBSCAN gives other scores here, since those of clusters are sums. c: one for each class of g.
 * TL_EARG: there are no such outputs. */
tl_status tl_detect_postprocess(tl_onnx *m, const char *cov, const char *bbox, const tl_cells *g, const tl_clustering *c);
#endif

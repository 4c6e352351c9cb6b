/* box.h - a box and how much two of them overlap. SPDX-License-Identifier: MIT
 *
 * Two rules of measuring are about. COCO's takes edges as they are: a box from 10 to 20 is 10 wide. Pascal VOC's takes
 * x1..x2 for the first and the last pixel, both inside: the same box is 11 wide. Scores differ in the second digit, so
 * whoever measures says by which. */
#ifndef TL_BOX_H
#define TL_BOX_H
#include <stdbool.h>

typedef struct { float x1, y1, x2, y2; } tl_box; /* pixels, from the picture's upper left corner */

typedef enum {
    TL_EDGES = 0, /* width = x2 - x1: COCO */
    TL_PIXELS = 1 /* width = x2 - x1 + 1: Pascal VOC, and the original's DetectNet_v2 */
} tl_box_rule;

/* Length of lo..hi, 0 when it is inverted. */
static inline double tl_box_side(double lo, double hi, tl_box_rule r)
{
    double n = hi - lo + (r == TL_PIXELS);
    return n > 0 ? n : 0;
}

static inline double tl_box_area(tl_box b, tl_box_rule r)
{
    return tl_box_side((double)b.x1, (double)b.x2, r) * tl_box_side((double)b.y1, (double)b.y2, r);
}

static inline tl_box tl_box_common(tl_box a, tl_box b)
{
    return (tl_box){ a.x1 > b.x1 ? a.x1 : b.x1, a.y1 > b.y1 ? a.y1 : b.y1,
                     a.x2 < b.x2 ? a.x2 : b.x2, a.y2 < b.y2 ? a.y2 : b.y2 };
}

/* Areas of what both cover, and of what at least one does. */
static inline double tl_box_intersection(tl_box a, tl_box b, tl_box_rule r)
{
    return tl_box_area(tl_box_common(a, b), r);
}

static inline double tl_box_union(tl_box a, tl_box b, tl_box_rule r)
{
    return tl_box_area(a, r) + tl_box_area(b, r) - tl_box_intersection(a, b, r);
}

/* Intersection over union (Jaccard 1901), 0..1; 0 when both are empty. */
static inline double tl_box_iou(tl_box a, tl_box b, tl_box_rule r)
{
    double all = tl_box_union(a, b, r);
    return all > 0 ? tl_box_intersection(a, b, r) / all : 0;
}
#endif

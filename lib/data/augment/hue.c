/* hue.c - color augmentation as one matrix. SPDX-License-Identifier: MIT
 *
 * Hue turns the color about the gray axis and saturation stretches it away from that axis, both
 * keeping the luminance 0.299 R + 0.587 G + 0.114 B (Haeberli, "Matrix operations for image
 * processing", 1993); contrast stretches about a gray, and brightness is added. One linear map does
 * all, contrast first, as the original's detectors do; its classification instead turns hue in HSV space, which
 * is not linear and costs ten times as much for much the same variety. */
#include "augment.h"
#include <math.h>

/* gray + s*cos(h) * A + s*sin(h) * B; row: input channel, column: output channel. */
static const float gray[3] = { 0.299f, 0.587f, 0.114f };
static const float A[3][3] = { { 0.701f, -0.299f, -0.299f },
                               { -0.587f, 0.413f, -0.587f },
                               { -0.114f, -0.114f, 0.886f } };
static const float B[3][3] = { { 0.168f, -0.328f, 1.25f },
                               { 0.330f, 0.035f, -1.05f },
                               { -0.497f, 0.292f, -0.203f } };

void tl_color_rows(const tl_color_change *c, float rows[12])
{
    float turn = c->degrees * 0.0174532925f, sc = c->saturation * cosf(turn),
          ss = c->saturation * sinf(turn);
    for (int out = 0; out < 3; out++) {
        float *row = rows + 4 * out, sum = 0;
        for (int in = 0; in < 3; in++) {
            float m = gray[in] + sc * A[in][out] + ss * B[in][out];
            row[in] = c->contrast * m;
            sum += m;
        }
        row[3] = (1 - c->contrast) * c->center * sum + c->brightness;
    }
}

void tl_color_draw(tl_rng *r, float rows[12])
{
    tl_color_change c = { .center = 0.5f };
    c.degrees = 12.5f * tl_truncated_normal(r);
    c.saturation = tl_uniform_in(r, 0.8f, 1.2f);
    c.contrast = 1 + 0.05f * tl_truncated_normal(r);
    tl_color_rows(&c, rows);
}

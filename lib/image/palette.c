/* palette.c - colors that tell classes apart. SPDX-License-Identifier: MIT
 *
 * Hues a golden angle apart, so that any number of them is spread well, in OKLCH, where equal steps look equally large
 * (Ottosson, "A perceptual color space for image processing", 2020); lightness changes as well, since there are fewer hues than
 * classes. What a screen cannot show loses chroma until it can. */
#include "draw.h"
#include <math.h>

/* Linear light of red, green and blue. */
static void linear(double light, double chroma, double hue, double rgb[3])
{
    const double a = chroma * cos(hue), b = chroma * sin(hue);
    const double l = light + 0.3963377774 * a + 0.2158037573 * b, m = light - 0.1055613458 * a - 0.0638541728 * b,
                 s = light - 0.0894841775 * a - 1.2914855480 * b;
    const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
    rgb[0] = 4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3;
    rgb[1] = -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3;
    rgb[2] = -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3;
}

static bool shown(const double rgb[3])
{
    for (int i = 0; i < 3; i++)
        if (rgb[i] < 0 || rgb[i] > 1) return false;
    return true;
}

/* sRGB's curve, IEC 61966-2-1. */
static uint8_t encoded(double v)
{
    return (uint8_t)lround(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055));
}

tl_rgb tl_palette(int i)
{
    static const double light[] = { 0.72, 0.60, 0.84 };
    const double golden = 2.39996322973, first = 2.5 /* green */;
    double rgb[3], chroma = 0.25;
    for (linear(light[i % 3], chroma, first + golden * i, rgb); !shown(rgb); linear(light[i % 3], chroma, first + golden * i, rgb))
        chroma -= 0.005;
    return (tl_rgb){ encoded(rgb[0]), encoded(rgb[1]), encoded(rgb[2]) };
}

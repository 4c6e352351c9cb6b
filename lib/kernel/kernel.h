/* kernel.h - our own vector kernels. SPDX-License-Identifier: MIT
 *
 * simd/NAME.c is plain C, compiled once per instruction set (baseline, AVX2, AVX-512); tl_kernel()
 * returns the table for this processor (environment TLC_ISA=base|avx2|avx512 lowers it).
 * Maps are NHWC seen as m rows (m = N*H*W) of c channels. They are f32, or in the table of tl_kernel_bf16() bf16, made of
 * the same sources. Of those tables there are two: convolutions multiply numbers of maps in pairs (bf16), or widen them first
 * (widened); which is faster depends on the processor, and TLC_ISA=bf16|widened chooses. Whatever else a kernel is given is f32,
 * and so are all sums: numbers of maps are widened when read and rounded to nearest when written. Work is split over OpenMP threads, the
 * pool oneDNN uses as well. Every sum has a fixed order: fixed chunks of rows, added up in chunk
 * order, so results are the same bit for bit at any number of threads. */
#ifndef TL_KERNEL_H
#define TL_KERNEL_H
#include "tensor.h"

/* What an elementwise activation does: y = min(x > 0 ? x : slope * x, max). */
typedef struct { float slope, max; } tl_act;
#define TL_NO_ACT ((tl_act){ 1.0f, __builtin_inff() })
static inline bool tl_act_on(tl_act a) { return a.slope != 1.0f || a.max < __builtin_inff(); }

/* ---- Batch norm without passes of its own ----
 * Between a convolution that wrote z and one that reads act(z*a + b), a batch norm's work is done while the numbers are in
 * registers anyway: the first sums z as it writes, the second normalizes as it reads; backward likewise. */
typedef struct { const float *a, *b; tl_act act; } tl_bn_read;              /* reads z as act(z*a + b) */
/* Reads g, where the activation of gate passes it, as g*k0 + (z - mean)*k1 + k2; no gate: TL_NO_ACT. */
typedef struct { const tl_map *z; const float *mean, *k0, *k1, *k2; tl_bn_read gate; } tl_bn_undo;
/* Sums over a map's pixels for each of c channels, in parts, which are added up in order: at is parts x 2 x c.
 * Forward: of d = z - near and d*d; backward: of g and g * (z - near). */
typedef struct { float *at; int parts; const float *near; } tl_sums;

enum { TL_DW_PARTS = 32 };

/* ---- Convolutions by Winograd's method ---- */
/* One 3x3 convolution of stride 1, and how its work is cut: by threads that are alone or together, in what portions; 0: as
 * the shape asks for. Results do not depend on it, but for the rounding of sums; tests cut small maps as large ones are. */
enum { TL_WINO_ALONE = 1, TL_WINO_TOGETHER };
typedef struct {
    tl_shape x, y;      /* y is 2 * pad - 2 pixels higher and wider */
    int pad;            /* zeros before and after each row and column, 0 to 2 */
    int threads;        /* the most that will take part: scratch is made for them */
    int sharing, block, group; /* ALONE or TOGETHER; tiles of a block; blocks that threads make together */
} tl_wino;
/* What an output goes through before it is stored. */
typedef struct {
    const float *bias;  /* NULL: none */
    bool add;           /* y holds the other summand beforehand */
    tl_act act;
    const tl_sums *sums;/* NULL, or where to put sums over what is stored, in wino_parts parts; near may be NULL (zeros) */
} tl_wino_end;

/* ---- Warps of pictures ---- */
/* What all rows of a warped picture share: the picture that is read, c 1 or 3; what becomes of its colors, rows 3 x 4 as
 * recolor takes them or NULL (with c = 1 it must be); and how they become the network's numbers, as normalize does it. */
typedef struct {
    const uint8_t *p;
    int w, h, c;
    const float *rows;
    const int *order;
    const float *mean, *rstd;
} tl_warping;

enum { TL_WEIGHT_BITS = 22 }; /* of a resampling weight's fraction: 32, less 8 of a pixel, less 2 for overshoot */

typedef struct tl_kernels {
    const char *isa;
    tl_dtype maps;     /* what tl_map is: TL_F32 or TL_BF16 */
    tl_dtype products; /* what convolutions multiply: TL_F32, or pairs of TL_BF16 */

    /* ---- Batch norm; scratch of bn_scratch(c) floats where asked. x, y, dy, dx: m x c ---- */
    size_t (*bn_scratch)(int c);
    /* Mean and biased variance of each channel, in one pass, shifted by `near` (c; any estimate of
     * the mean) so that a mean far from zero does not cancel the variance away. */
    void (*bn_stats)(const tl_map *x, size_t m, int c, const float *near, float *mean, float *var, float *scratch);
    /* y = act(x * a + b); add != NULL: y = act(x * a + b + add). y may be x. */
    void (*bn_apply)(const tl_map *x, size_t m, int c, const float *a, const float *b, const tl_map *add, tl_act act, tl_map *y);
    /* With z = x*a + b (a = gamma*rstd, b = beta - mean*a) and g = dy where act passes z, scaled by slope
     * below zero: dbeta = sum g; dgamma = sum g * (x - mean) * rstd. */
    void (*bn_grad_sums)(const tl_map *x, const tl_map *dy, size_t m, int c, const float *a, const float *b, tl_act act,
                         const float *mean, const float *rstd, float *dgamma, float *dbeta, float *scratch);
    /* dx = a * (g - k1 - (x - mean) * rstd * k2) with k1 = dbeta/m, k2 = dgamma/m; fixed statistics: k1 = k2 = 0
     * (pass NULL). dx may be dy. */
    void (*bn_grad)(const tl_map *x, const tl_map *dy, size_t m, int c, const float *a, const float *b, tl_act act,
                    const float *mean, const float *rstd, const float *k1, const float *k2, tl_map *dx);

    /* The parts of sums added up: total (2 x c). */
    void (*sums_total)(const tl_sums *sums, int c, double *total);

    /* ---- Maps to and from f32 ---- */
    void (*narrow)(const float *x, size_t n, tl_map *y);
    void (*widen)(const tl_map *x, size_t n, float *y);

    /* ---- Elementwise, n elements ---- */
    void (*act)(const tl_map *x, size_t n, tl_act act, tl_map *y);                      /* y may be x */
    void (*act_grad)(const tl_map *y, const tl_map *dy, size_t n, tl_act act, tl_map *dx); /* from the output y; dx may be dy */
    void (*add)(const tl_map *a, const tl_map *b, size_t n, tl_act act, tl_map *y);     /* y may be a or b */
    void (*sub)(const float *a, const float *b, size_t n, float *y);                    /* a - b; y may be a or b */
    void (*accumulate)(const tl_map *x, size_t n, tl_map *y);                           /* y += x */
    void (*drop)(const tl_map *x, const float *by, size_t n, size_t each, tl_map *y);   /* y[i] = x[i] * by[i / each]; y may be x */
    void (*scale)(float *x, size_t n, float by);
    double (*sum_squares)(const float *x, size_t n);

    /* ---- Sigmoid s(x) = 1 / (1 + exp(-x)) and swish x * s(x); in all of them the result may be an argument ---- */
    void (*sigmoid)(const tl_map *x, size_t n, tl_map *y);
    void (*sigmoid_grad)(const tl_map *y, const tl_map *dy, size_t n, tl_map *dx);      /* from the output */
    void (*swish)(const tl_map *x, size_t n, tl_map *y);
    void (*swish_grad)(const tl_map *x, const tl_map *dy, size_t n, tl_map *dx);        /* from the input */

    /* ---- Products; x, y, dy: N,H,W,C  s, ds: N,1,1,C ---- */
    void (*mul)(const tl_map *a, const tl_map *b, size_t n, tl_map *y);                 /* y may be a or b */
    void (*gate)(const tl_map *x, const float *s, tl_shape xs, tl_map *y);              /* y = x * s; y may be x */
    void (*gate_grad)(const tl_map *x, const tl_map *dy, tl_shape xs, float *ds);       /* ds = sum over H,W of x * dy */

    /* ---- Pooling; windows k x k (k at most 15), step s, p zeros before each border; x: N,H,W,C  y: N,OH,OW,C. winner is
     * the tap, row by row, that gave the largest; k*k: the padding did, which loses every tie. ---- */
    void (*maxpool)(const tl_map *x, tl_shape xs, tl_shape ys, int k, int s, int p, uint8_t *winner, tl_map *y); /* winner (count(ys)) or NULL */
    void (*maxpool_grad)(const tl_map *dy, const uint8_t *winner, tl_shape xs, tl_shape ys, int k, int s, int p, tl_map *dx);
    void (*avgpool)(const tl_map *x, tl_shape xs, tl_shape ys, int k, int s, int p, tl_map *y); /* divides by k*k, zeros counted */
    void (*avgpool_grad)(const tl_map *dy, tl_shape xs, tl_shape ys, int k, int s, int p, tl_map *dx);
    void (*gap)(const tl_map *x, tl_shape xs, float *y);                                /* y: N,1,1,C */
    void (*gap_grad)(const float *dy, tl_shape xs, tl_map *dx);

    /* ---- 3x3 depthwise convolution in training, stride 1 or 2, p zeros before each border (after it, as many as ys
     * asks for); w: C,1,3,3; scratch of dw_scratch floats. For the shapes of tl_dw_fits faster than oneDNN, above all
     * backward, which makes dx and dw (both whole) in one pass. read, undo and sums (TL_DW_PARTS of them) as below. ---- */
    size_t (*dw_scratch)(tl_shape xs, tl_shape ys);
    void (*dw)(const tl_map *x, tl_shape xs, tl_shape ys, int s, int p, const float *w, const tl_bn_read *read,
               const tl_sums *sums, tl_map *y, float *scratch);
    void (*dw_grad)(const tl_map *x, const tl_map *dy, tl_shape xs, tl_shape ys, int s, int p, const float *w,
                    const tl_bn_read *read, const tl_sums *sums, const tl_bn_undo *undo, tl_map *dx, float *dw, float *scratch);

    /* ---- 1x1 convolution in training: x m x in, y m x out, w out x in. `read`: x is read through it, and dx, then the gradient
     * of what was read, is gated by its activation. `undo`: dy is read through it. `sums`: of y, or, with read, of dx; pw_parts
     * of them. Each may be NULL. scratch of pw_scratch floats. ---- */
    size_t (*pw_parts)(size_t m, int in, int out, bool grad);
    size_t (*pw_scratch)(size_t m, int in, int out, bool grad);
    void (*pw)(const tl_map *x, size_t m, int in, int out, const float *w, const tl_bn_read *read, const tl_sums *sums, tl_map *y,
               float *scratch);
    void (*pw_grad)(const tl_map *x, const tl_map *dy, size_t m, int in, int out, const float *w, const tl_bn_read *read,
                    const tl_sums *sums, const tl_bn_undo *undo, tl_map *dx, float *dw, float *scratch);

    /* dw (out x in) = dy' * x of a dense layer, x: m x in, dy: m x out, m small; db (out): sums of dy's columns, or NULL. */
    void (*dense_grad)(const float *x, const float *dy, size_t m, int in, int out, float *dw, float *db);

    /* ---- 3x3 convolution, stride 1, with a quarter of the multiplications (Winograd); w: O,I,3,3. Largest errors are within
     * 3 times those of adding up products one by one, 5 times for dw. ---- */
    size_t (*wino_filter_size)(int in, int out);              /* floats of transformed filters u, for those who keep them */
    void (*wino_filter)(const float *w, int in, int out, float *u);
    size_t (*wino_scratch)(const tl_wino *c, bool dx, bool kept); /* floats; of wino_dx or wino, with u or without */
    size_t (*wino_dw_scratch)(const tl_wino *c);
    int (*wino_parts)(const tl_wino *c);
    /* With u, w is not read; u NULL: made from w. */
    void (*wino)(const tl_wino *c, const tl_map *x, const float *w, const float *u, const tl_wino_end *end, tl_map *y,
                 float *scratch);
    void (*wino_dx)(const tl_wino *c, const tl_map *dy, const float *w, tl_map *dx, float *scratch);
    void (*wino_dw)(const tl_wino *c, const tl_map *x, const tl_map *dy, float *dw, float *db, float *scratch); /* db or NULL */

    /* ---- Optimizer steps on n weights; g is the gradient with regulariser and clipping applied ---- */
    void (*sgd)(float *w, const float *g, float *velocity, size_t n, float lr, float momentum, bool nesterov);
    /* step: the learning rate with both bias corrections; decay: the share of w that goes, AdamW's learning rate * lambda */
    void (*adam)(float *w, const float *g, float *m, float *v, size_t n, float step, float beta1, float beta2, float eps, float decay);
    void (*rmsprop)(float *w, const float *g, float *v, size_t n, float lr, float rho, float eps);

    /* ---- Pictures, 8-bit. On the calling thread alone: the loader has threads of its own. ---- */
    /* Resampling: to[i] = sum over j < taps of k[j] * from[j*stride + i], rounded and clipped to 0..255; k in units of
     * 2^-TL_WEIGHT_BITS. */
    void (*weigh)(const uint8_t *from, size_t stride, const int32_t *k, int taps, uint8_t *to, size_t n);
    /* Interleaved pixels (1 to 4 channels) to a normalized map; y[c] = (x[order[c]] - mean[c]) * rstd[c]. */
    void (*normalize)(const uint8_t *x, size_t pixels, int c, const int *order, const float *mean, const float *rstd,
                      float *y);
    /* RGB pixels in place: on values of 0..1 r,g,b = rows . (r,g,b,1), rounded and clipped; rows: 3 x 4. */
    void (*recolor)(uint8_t *p, size_t pixels, const float *rows);
    /* n pixels (c floats each), read bilinearly at (x + i*dx, y + i*dy), where pixel centers are at whole numbers. Outside of
     * the picture all is black. Colors are not rounded in between, and clipped to 0..255 if rows are given. */
    void (*warp)(const tl_warping *w, double x, double y, double dx, double dy, size_t n, float *to);
} tl_kernels;

/* A convolution that dw and dw_grad compute: one 3x3 kernel per channel, no dilation. */
static inline bool tl_dw_fits(int k, int stride, int dilation, int groups, int in, int out)
{
    return k == 3 && stride <= 2 && dilation == 1 && groups == in && out == in;
}

/* Every member, for declaring and filling the tables. */
#define TL_KERNELS(X) \
    X(bn_scratch) X(bn_stats) X(bn_apply) X(bn_grad_sums) X(bn_grad) X(sums_total) X(narrow) X(widen) \
    X(act) X(act_grad) X(add) X(sub) X(accumulate) X(drop) X(scale) X(sum_squares) \
    X(sigmoid) X(sigmoid_grad) X(swish) X(swish_grad) X(mul) X(gate) X(gate_grad) \
    X(maxpool) X(maxpool_grad) X(avgpool) X(avgpool_grad) X(gap) X(gap_grad) \
    X(dw_scratch) X(dw) X(dw_grad) X(pw_parts) X(pw_scratch) X(pw) X(pw_grad) X(dense_grad) \
    X(wino_filter_size) X(wino_filter) X(wino_scratch) X(wino_dw_scratch) X(wino_parts) X(wino) X(wino_dx) X(wino_dw) \
    X(sgd) X(adam) X(rmsprop) X(weigh) X(normalize) X(recolor) X(warp)

/* For all plans that this process makes from now on: no kernel that trades digits for speed (Winograd's convolutions). */
void tl_kernel_exact(bool on);
bool tl_kernel_is_exact(void);

const tl_kernels *tl_kernel(void);
const tl_kernels *tl_kernel_bf16(void);           /* NULL: no instructions for bf16, or TLC_ISA says so */
const tl_kernels *tl_kernel_for(const char *isa); /* bf16 and widened as well; NULL: not on this processor */
#endif

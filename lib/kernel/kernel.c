/* kernel.c - which instruction set's kernels this processor runs. SPDX-License-Identifier: MIT */
#include "kernel.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TABLE(isa) extern const tl_kernels tl_kernels_##isa;
TABLE(base)
#if defined __x86_64__
TABLE(avx2)
TABLE(avx512)
TABLE(widened)
TABLE(bf16)

/* Every processor with AVX2 and FMA also has F16C, whose name clang 14 does not know here. */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool has_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

/* Does vdpbf16ps multiply more numbers in a second than fused multiply-adds of floats? On AMD's processors it does (Zen 4: twice as
 * many). Intel's have AMX for products of bf16, or had it before a hypervisor hid it: on an Emerald Rapids (family 6, model 207) one
 * vdpbf16ps starts every other cycle and two multiply-adds in each, which makes half as many. Cooper Lake had no AMX yet. */
static bool pairs_are_fast(void)
{
    return __builtin_cpu_is("amd") || __builtin_cpu_is("cooperlake");
}
#endif

const tl_kernels *tl_kernel_for(const char *isa)
{
#if defined __x86_64__
    if (!strcmp(isa, "widened")) return has_bf16() ? &tl_kernels_widened : NULL;
    if (!strcmp(isa, "bf16")) return has_bf16() ? &tl_kernels_bf16 : NULL;
    if (!strcmp(isa, "avx512")) return has_avx512() ? &tl_kernels_avx512 : NULL;
    if (!strcmp(isa, "avx2")) return has_avx2() ? &tl_kernels_avx2 : NULL;
#endif
    return !strcmp(isa, "base") ? &tl_kernels_base : NULL;
}

/* The table that the user asks for, if it is one for such maps. */
static const tl_kernels *wished(tl_dtype maps)
{
    const char *wish = getenv("TLC_ISA");
    const tl_kernels *k = wish ? tl_kernel_for(wish) : NULL;
    return k && k->maps == maps ? k : NULL;
}

static const tl_kernels *choose(void)
{
    static const char *const best_first[] = { "avx512", "avx2", "base" };
    const tl_kernels *k = wished(TL_F32);
    for (int i = 0; !k; i++) k = tl_kernel_for(best_first[i]);
    return k;
}

static const tl_kernels *choose_bf16(void)
{
    const tl_kernels *k = wished(TL_BF16);
#if defined __x86_64__
    if (!k) k = tl_kernel_for(pairs_are_fast() ? "bf16" : "widened");
#endif
    return k;
}

/* Chosen once, the same for every thread that gets here first. */
typedef _Atomic(const tl_kernels *) choice;
static const tl_kernels *chosen(choice *c, const tl_kernels *(*by)(void))
{
    const tl_kernels *k = atomic_load_explicit(c, memory_order_relaxed);
    if (!k) {
        k = by();
        atomic_store_explicit(c, k, memory_order_relaxed);
    }
    return k;
}

const tl_kernels *tl_kernel(void)
{
    static choice c;
    return chosen(&c, choose);
}

const tl_kernels *tl_kernel_bf16(void)
{
    static choice c;
    return strcmp(tl_kernel()->isa, "avx512") ? NULL : chosen(&c, choose_bf16);
}

static atomic_bool exact;
void tl_kernel_exact(bool on) { exact = on; }
bool tl_kernel_is_exact(void) { return exact; }

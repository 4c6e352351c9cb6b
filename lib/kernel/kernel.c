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
#endif

const tl_kernels *tl_kernel_for(const char *isa)
{
#if defined __x86_64__
    if (!strcmp(isa, "bf16")) return has_bf16() ? &tl_kernels_bf16 : NULL;
    if (!strcmp(isa, "avx512")) return has_avx512() ? &tl_kernels_avx512 : NULL;
    if (!strcmp(isa, "avx2")) return has_avx2() ? &tl_kernels_avx2 : NULL;
#endif
    return !strcmp(isa, "base") ? &tl_kernels_base : NULL;
}

static const tl_kernels *choose(void)
{
    static const char *const best_first[] = { "avx512", "avx2", "base" };
    const char *wish = getenv("TLC_ISA");
    const tl_kernels *k = wish ? tl_kernel_for(wish) : NULL;
    if (k && k->maps != TL_F32) k = NULL;
    for (int i = 0; !k; i++) k = tl_kernel_for(best_first[i]);
    return k;
}

const tl_kernels *tl_kernel(void)
{
    static _Atomic(const tl_kernels *) chosen; /* the same for every thread that gets here first */
    const tl_kernels *k = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!k) {
        k = choose();
        atomic_store_explicit(&chosen, k, memory_order_relaxed);
    }
    return k;
}

const tl_kernels *tl_kernel_bf16(void)
{
    return strcmp(tl_kernel()->isa, "avx512") ? NULL : tl_kernel_for("bf16");
}

static atomic_bool exact;
void tl_kernel_exact(bool on) { exact = on; }
bool tl_kernel_is_exact(void) { return exact; }

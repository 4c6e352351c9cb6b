/* statedict.c - PyTorch's names for the tensors of a network. SPDX-License-Identifier: MIT */
#include "import/statedict.h"
#include <string.h>

static const struct { const char *end; tl_role role;
} roles[] = {
    { "weight", TL_ROLE_KERNEL },   { "bias", TL_ROLE_BIAS },     { "running_mean", TL_ROLE_MEAN },
    { "running_var", TL_ROLE_VAR }, { "kernel", TL_ROLE_KERNEL }, { "gamma", TL_ROLE_GAMMA },
    { "beta", TL_ROLE_BETA },       { "mean", TL_ROLE_MEAN },     { "var", TL_ROLE_VAR },
};

/* How many characters of wrappers' prefixes all names begin with. */
static size_t wrapped(const tl_list *arrays)
{
    static const char *const prefix[] = { "module.", "model.", "_orig_mod.", "net.", "backbone.", "encoder." };
    const tl_array *x = arrays->at;
    size_t skip = 0;
    for (int p = 0; arrays->n && p < TL_LEN(prefix); p++) {
        size_t n = strlen(prefix[p]);
        int i = 0;
        while (i < arrays->n && !strncmp(x[i].name + skip, prefix[p], n)) i++;
        if (i < arrays->n) continue;
        skip += n;
        p = -1; /* once more from the first: wrappers wrap wrappers */
    }
    return skip;
}

static tl_status read_array(tl_arena *a, const tl_array *x, size_t skip, tl_foreign_tensor *t)
{
    const char *dot = strrchr(x->name + skip, '.');
    *t = (tl_foreign_tensor){
        .layer = x->name + skip, .name = x->name, .role = TL_ROLE_OTHER, .dims = { { 1, 1, 1, 1 } }
    };
    TL_TRY(tl_array_floats(a, x, &t->at));
    if (!dot || x->rank < 1 || x->rank > 4 || !tl_array_count(x)) return TL_OK;
    for (int i = 0; i < x->rank; i++) {
        TL_CHECK(x->dim[i] <= 1 << 30, TL_EFORMAT, "the tensor '%s' cannot have the size %zu", x->name, x->dim[i]);
        t->dims.d[i] = (int)x->dim[i];
    }
    for (int r = 0; r < TL_LEN(roles); r++)
        if (!strcmp(dot + 1, roles[r].end)) t->role = roles[r].role;
    if (t->role == TL_ROLE_KERNEL && x->rank == 1)
        t->role = TL_ROLE_GAMMA; /* batch norm's factor is called weight as well */
    TL_NEW(t->layer = tl_strndup(a, x->name + skip, (size_t)(dot - x->name) - skip));
    return TL_OK;
}

/* The bias of a layer that has a gamma is its beta. */
static void find_betas(tl_list *tensors)
{
    tl_foreign_tensor *t = tensors->at;
    for (int i = 0; i < tensors->n; i++)
        for (int k = 0; t[i].role == TL_ROLE_GAMMA && k < tensors->n; k++)
            if (t[k].role == TL_ROLE_BIAS && !strcmp(t[k].layer, t[i].layer)) t[k].role = TL_ROLE_BETA;
}

tl_status tl_statedict(tl_arena *a, const tl_list *arrays, size_t most, tl_foreign *out)
{
    const tl_array *x = arrays->at;
    size_t skip = wrapped(arrays), sum = 0;
    for (int i = 0; i < arrays->n; i++) {
        TL_CHECK(!__builtin_add_overflow(sum, tl_array_count(x + i), &sum) && sum <= most, TL_EFORMAT,
                 "the tensors have more elements than the file: it is damaged or hostile");
        tl_foreign_tensor *t = tl_add(a, &out->tensor, tl_foreign_tensor);
        TL_NEW(t);
        TL_TRY(read_array(a, x + i, skip, t));
    }
    find_betas(&out->tensor);
    return TL_OK;
}

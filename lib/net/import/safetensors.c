/* safetensors.c - weights in Hugging Face's safetensors form. SPDX-License-Identifier: MIT */
#include "safetensors.h"
#include "import/statedict.h"

static tl_status read(tl_arena *a, const char *path, tl_bytes file, tl_foreign *out)
{
    tl_list arrays;
    (void)path;
    TL_TRY(tl_safetensors_parse(a, file, &arrays));
    return tl_statedict(a, &arrays, file.n, out);
}

const tl_importer tl_importer_safetensors = {
    .name = "safetensors",
    .brief = "tensors by PyTorch's names, as Hugging Face publishes them",
    .ends = ".safetensors",
    .knows = tl_is_safetensors,
    .read = read,
};

/* statedict.h - PyTorch's names for the tensors of a network. SPDX-License-Identifier: MIT */
#ifndef TL_STATEDICT_H
#define TL_STATEDICT_H
#include "elements.h"
#include "import.h"

/* tl_array list to out->tensor: "layer1.0.bn1.running_var" is the layer "layer1.0.bn1" and a role. Prefixes that
 * wrappers put before every name ("module.") go. most: all tensors together may have at most so many elements. */
tl_status tl_statedict(tl_arena *a, const tl_list *arrays, size_t most, tl_foreign *out);
#endif

/* load.h - the transport, from a shared object. SPDX-License-Identifier: MIT */
#ifndef TL_LOAD_H
#define TL_LOAD_H
#include "dist.h"
#include "transport.h"
tl_status tl_transport_load(const tl_transport **out);
#endif

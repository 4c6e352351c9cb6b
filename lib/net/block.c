/* block.c - the pieces most backbones are made of. SPDX-License-Identifier: MIT */
#include "net.h"

tl_val tl_conv_bn(tl_graph *g, tl_val x, const tl_backbone_conf *c, const char *conv, const char *bn, tl_conv_spec s)
{
    x = OP(g, conv, conv2d, IN(x), .out = s.out, .k = s.k, .stride = s.stride, .pad = s.k / 2, .groups = s.groups,
           .nobias = !c->bias);
    return c->bn ? OP(g, bn, bn, IN(x), .eps = c->bn_eps, .momentum = c->bn_momentum) : x;
}

tl_val tl_activate(tl_graph *g, tl_val x, const char *name, tl_activation act)
{
    return tl_put(g, name, act.op ? act.op : &tl_op_relu, IN(x), &act.attr);
}

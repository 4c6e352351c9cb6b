#!/usr/bin/env python3
"""make_optim_golden.py - steps of the optimizers in Keras and PyTorch, for test/test_optim.c.
SPDX-License-Identifier: MIT

    tools/make_optim_golden.py > test/data/optim.tsv

Needs keras and torch. A row has the settings and then the weights after STEPS steps in double precision.
SGD and Adam are Keras 3's, which has kept Keras 2's formulas (its decay is now a schedule,
InverseTimeDecay); its RMSprop has moved epsilon under the root, so that one is PyTorch's, which is Keras 2's.
"""
import math
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch

WEIGHTS, STEPS = 5, 7
ROWS = [  # kind, rate, decay, momentum, nesterov, beta1, beta2, rho, epsilon
    ("sgd", 0.1, 0, 0, 0, 0, 0, 0, 0),
    ("sgd", 0.1, 0, 0.9, 0, 0, 0, 0, 0),
    ("sgd", 0.1, 0.25, 0.9, 0, 0, 0, 0, 0),
    ("sgd", 0.1, 0.25, 0.5, 1, 0, 0, 0, 0),
    ("adam", 0.01, 0, 0, 0, 0.9, 0.999, 0, 1e-7),
    ("adam", 0.01, 0.5, 0, 0, 0.75, 0.875, 0, 0.125),
    ("rmsprop", 0.01, 0, 0, 0, 0, 0, 0.9, 1e-7),
    ("rmsprop", 0.01, 0, 0, 0, 0, 0, 0.5, 0.125),
]


def start(i):
    return math.sin(3.0 * i + 1)


def gradient(step, i):
    return math.cos(1.7 * i + 0.9 * step)


def keras_run(kind, rate, decay, momentum, nesterov, beta1, beta2, epsilon):
    lr = keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)
    if kind == "sgd":
        o = keras.optimizers.SGD(lr, momentum=float(momentum), nesterov=bool(nesterov))
    else:
        o = keras.optimizers.Adam(lr, beta_1=beta1, beta_2=beta2, epsilon=epsilon)
    w = keras.Variable([start(i) for i in range(WEIGHTS)], dtype="float64")
    for s in range(STEPS):
        o.apply_gradients([(keras.ops.convert_to_tensor([gradient(s, i) for i in range(WEIGHTS)], "float64"), w)])
    return keras.ops.convert_to_numpy(w)


def torch_run(rate, rho, epsilon):
    w = torch.tensor([start(i) for i in range(WEIGHTS)], dtype=torch.float64)
    o = torch.optim.RMSprop([w], rate, alpha=rho, eps=epsilon)
    for s in range(STEPS):
        w.grad = torch.tensor([gradient(s, i) for i in range(WEIGHTS)], dtype=torch.float64)
        o.step()
    return w


keras.config.set_floatx("float64")
print(f"# keras {keras.__version__}, torch {torch.__version__.split('+')[0]}")
print("#kind\trate\tdecay\tmomentum\tnesterov\tbeta1\tbeta2\trho\tepsilon\tweights after %d steps" % STEPS)
for kind, rate, decay, momentum, nesterov, beta1, beta2, rho, epsilon in ROWS:
    w = torch_run(rate, rho, epsilon) if kind == "rmsprop" else \
        keras_run(kind, rate, decay, momentum, nesterov, beta1, beta2, epsilon)
    cells = [kind] + [repr(float(x)) for x in (rate, decay, momentum, nesterov, beta1, beta2, rho, epsilon, *w)]
    print("\t".join(cells))

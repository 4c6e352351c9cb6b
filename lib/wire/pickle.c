/* pickle.c - the plain part of Python's pickles. SPDX-License-Identifier: MIT
 *
 * The opcodes are those of protocols 0 to 5 that a pickle of numbers, texts, tuples, lists, dicts and calls is made
 * of (Python's pickletools.py describes them). Values are numbered; containers, stack and memo hold numbers, so
 * shared and even circular values are harmless. BUILD, which sets attributes of an object, is read and dropped. */
#include "pickle.h"
#include <string.h>

#define MOST_VALUES (1 << 18) /* far more than a state dict needs; bounds memory */

/* Unlike a tl_list it may shrink and grow again without taking new memory each time. */
typedef struct { int n, cap, *at; } ints;

typedef struct {
    tl_arena   *arena;
    const char *const *allowed;
    const uint8_t *p, *end;
    tl_list     value;              /* tl_py */
    ints        stack, mark, memo;  /* memo: value + 1, 0: none */
    bool        stopped;
} machine;

static tl_py *at(const machine *m, int i) { return (tl_py *)m->value.at + i; }

/* ---- Bytes ---- */

static tl_status take(machine *m, size_t n, const uint8_t **out)
{
    *out = m->p;
    TL_CHECK((size_t)(m->end - m->p) >= n, TL_EFORMAT, "the pickle is cut off");
    m->p += n;
    return TL_OK;
}

static tl_status take_int(machine *m, int bytes, uint64_t *v)
{
    const uint8_t *p;
    *v = 0;
    TL_TRY(take(m, (size_t)bytes, &p));
    memcpy(v, p, (size_t)bytes);
    return TL_OK;
}

/* Up to the end of the line, as the oldest opcodes have their arguments. */
static tl_status take_line(machine *m, const char **s, size_t *n)
{
    const uint8_t *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    TL_CHECK(end, TL_EFORMAT, "the pickle is cut off");
    *s = (const char *)m->p;
    *n = (size_t)(end - m->p);
    m->p = end + 1;
    return TL_OK;
}

/* ---- Stack ---- */

static tl_status put(machine *m, ints *to, int v)
{
    if (to->n == to->cap) {
        int cap = to->cap ? 2 * to->cap : 64, *bigger = tl_new(m->arena, int, cap);
        TL_NEW(bigger);
        if (to->n) memcpy(bigger, to->at, (size_t)to->n * sizeof *bigger);
        to->at = bigger;
        to->cap = cap;
    }
    to->at[to->n++] = v;
    return TL_OK;
}

static tl_status push(machine *m, tl_py v)
{
    TL_CHECK(m->value.n < MOST_VALUES, TL_EUNSUP, "the pickle holds more than %d values, which no state dict has",
             MOST_VALUES);
    tl_py *slot = tl_add(m->arena, &m->value, tl_py);
    TL_NEW(slot);
    *slot = v;
    return put(m, &m->stack, m->value.n - 1);
}

/* The lowest place on the stack that may be taken: above the last mark. */
static int floor_of(const machine *m) { return m->mark.n ? m->mark.at[m->mark.n - 1] : 0; }

static tl_status pop(machine *m, int *v)
{
    TL_CHECK(m->stack.n > floor_of(m), TL_EFORMAT, "the pickle is damaged: it takes a value that is not there");
    *v = m->stack.at[--m->stack.n];
    return TL_OK;
}

static tl_status append(machine *m, tl_list *to, int n, const int *v)
{
    for (int i = 0; i < n; i++) {
        int *slot = tl_add(m->arena, to, int);
        TL_NEW(slot);
        *slot = v[i];
    }
    return TL_OK;
}

/* Move the n topmost values into a container. */
static tl_status gather(machine *m, int n, tl_list *items)
{
    TL_CHECK(n >= 0 && m->stack.n - n >= floor_of(m), TL_EFORMAT,
             "the pickle is damaged: it takes a value that is not there");
    m->stack.n -= n;
    return n ? append(m, items, n, m->stack.at + m->stack.n) : TL_OK;
}

/* What lies above the last mark; the mark goes. */
static tl_status above_mark(machine *m, int *n)
{
    TL_CHECK(m->mark.n, TL_EFORMAT, "the pickle is damaged: there is no mark");
    int from = floor_of(m);
    m->mark.n--;
    *n = m->stack.n - from;
    return TL_OK;
}

static tl_status tuple(machine *m, int n)
{
    tl_py t = { .kind = TL_PY_TUPLE };
    TL_TRY(gather(m, n, &t.item));
    return push(m, t);
}

/* The n topmost values go into the container below them. */
static tl_status extend(machine *m, int n, tl_py_kind kind)
{
    tl_list items = { 0, NULL };
    TL_TRY(gather(m, n, &items));
    TL_CHECK(m->stack.n > floor_of(m) && (kind != TL_PY_DICT || n % 2 == 0), TL_EFORMAT,
             "the pickle is damaged: no container to fill");
    tl_py *c = at(m, m->stack.at[m->stack.n - 1]);
    /* An OrderedDict is the result of a call; filling it makes it the dict it would be. */
    if (kind == TL_PY_DICT && c->kind == TL_PY_CALL &&
        !strcmp(at(m, *(int *)c->item.at)->text, "collections.OrderedDict"))
        *c = (tl_py){ .kind = TL_PY_DICT };
    TL_CHECK(c->kind == kind, TL_EUNSUP, "the pickle fills something that is no %s",
             kind == TL_PY_DICT ? "dict" : "list");
    return append(m, &c->item, n, items.at);
}

/* ---- Opcodes ---- */

static tl_status text(machine *m, const char *s, size_t n)
{
    tl_py v = { .kind = TL_PY_STR };
    TL_CHECK(!memchr(s, 0, n), TL_EFORMAT, "a text in the pickle has a zero byte inside");
    TL_NEW(v.text = tl_strndup(m->arena, s, n));
    return push(m, v);
}

static tl_status long_text(machine *m, int size)
{
    uint64_t n;
    const uint8_t *p;
    TL_TRY(take_int(m, size, &n));
    TL_TRY(take(m, n, &p));
    return text(m, (const char *)p, n);
}

static bool allows(const char *pattern, const char *name)
{
    size_t n = strcspn(pattern, "*");
    return pattern[n] ? !strncmp(pattern, name, n) : !strcmp(pattern, name);
}

static tl_status global(machine *m, const char *module, size_t nm, const char *name, size_t nn)
{
    tl_py v = { .kind = TL_PY_GLOBAL };
    TL_NEW(v.text = tl_printf(m->arena, "%.*s.%.*s", (int)(nm < 512 ? nm : 512), module, (int)(nn < 512 ? nn : 512),
                              name));
    for (const char *const *ok = m->allowed; *ok; ok++)
        if (allows(*ok, v.text)) return push(m, v);
    return tl_fail(TL_EUNSUP, "it holds %s", v.text);
}

static tl_status old_global(machine *m)
{
    const char *module = NULL, *name = NULL;
    size_t nm = 0, nn = 0;
    TL_TRY(take_line(m, &module, &nm));
    TL_TRY(take_line(m, &name, &nn));
    return global(m, module, nm, name, nn);
}

static tl_status stack_global(machine *m)
{
    int name, module;
    TL_TRY(pop(m, &name));
    TL_TRY(pop(m, &module));
    const tl_py *a = at(m, module), *b = at(m, name);
    TL_CHECK(a->kind == TL_PY_STR && b->kind == TL_PY_STR, TL_EFORMAT, "the pickle is damaged: a name is no text");
    return global(m, a->text, strlen(a->text), b->text, strlen(b->text));
}

static tl_status call(machine *m)
{
    tl_py v = { .kind = TL_PY_CALL };
    TL_TRY(gather(m, 2, &v.item));
    const int *of = v.item.at;
    TL_CHECK(at(m, of[0])->kind == TL_PY_GLOBAL && at(m, of[1])->kind == TL_PY_TUPLE, TL_EUNSUP,
             "it calls something that is no plain function");
    return push(m, v);
}

static tl_status persistent(machine *m)
{
    tl_py v = { .kind = TL_PY_PERSISTENT };
    TL_TRY(gather(m, 1, &v.item));
    return push(m, v);
}

static tl_status remember(machine *m, uint64_t where)
{
    TL_CHECK(where < MOST_VALUES && m->stack.n > floor_of(m), TL_EFORMAT,
             "the pickle is damaged: it remembers nothing, or far too much");
    while (m->memo.n <= (int)where) TL_TRY(put(m, &m->memo, 0));
    m->memo.at[where] = m->stack.at[m->stack.n - 1] + 1;
    return TL_OK;
}

static tl_status recall(machine *m, uint64_t where)
{
    TL_CHECK(where < (uint64_t)m->memo.n && m->memo.at[where], TL_EFORMAT,
             "the pickle is damaged: it recalls what it never had");
    return put(m, &m->stack, m->memo.at[where] - 1);
}

static tl_status integer(machine *m, int bytes, bool is_signed)
{
    uint64_t v;
    TL_TRY(take_int(m, bytes, &v));
    if (is_signed && bytes && bytes < 8 && v >> (8 * bytes - 1)) v |= ~UINT64_C(0) << (8 * bytes);
    return push(m, (tl_py){ .kind = TL_PY_INT, .i = (int64_t)v });
}

static tl_status long_integer(machine *m)
{
    uint64_t bytes;
    TL_TRY(take_int(m, 1, &bytes));
    TL_CHECK(bytes <= 8, TL_EUNSUP, "it holds an integer of more than 64 bits");
    return integer(m, (int)bytes, true);
}

static tl_status real(machine *m) /* big-endian */
{
    uint64_t v;
    tl_py f = { .kind = TL_PY_FLOAT };
    TL_TRY(take_int(m, 8, &v));
    v = __builtin_bswap64(v);
    memcpy(&f.f, &v, 8);
    return push(m, f);
}

static tl_status with_int(machine *m, int bytes, tl_status (*f)(machine *, uint64_t))
{
    uint64_t v;
    TL_TRY(take_int(m, bytes, &v));
    return f(m, v);
}

static tl_status skip(machine *m, size_t n)
{
    const uint8_t *p;
    return take(m, n, &p);
}

static tl_status to_mark(machine *m, tl_py_kind kind)
{
    int n = 0;
    TL_TRY(above_mark(m, &n));
    return kind == TL_PY_TUPLE ? tuple(m, n) : extend(m, n, kind);
}

static tl_status drop(machine *m)
{
    int v;
    return pop(m, &v);
}

static tl_status step(machine *m, uint8_t op)
{
    switch (op) {
    case 0x80: return skip(m, 1);                  /* PROTO */
    case 0x95: return skip(m, 8);                  /* FRAME */
    case '.': m->stopped = true; return TL_OK;
    case '(': return put(m, &m->mark, m->stack.n);
    case '0': case 'b': return drop(m);            /* POP; BUILD: attributes are dropped */
    case 'N': return push(m, (tl_py){ .kind = TL_PY_NONE });
    case 0x88: case 0x89: return push(m, (tl_py){ .kind = TL_PY_BOOL, .i = op == 0x88 });
    case 'J': return integer(m, 4, true);
    case 'K': return integer(m, 1, false);
    case 'M': return integer(m, 2, false);
    case 0x8a: return long_integer(m);
    case 'G': return real(m);
    case 'X': case 'T': return long_text(m, 4);
    case 0x8c: case 'U': return long_text(m, 1);
    case 0x8d: return long_text(m, 8);
    case '}': return push(m, (tl_py){ .kind = TL_PY_DICT });
    case ']': return push(m, (tl_py){ .kind = TL_PY_LIST });
    case ')': return tuple(m, 0);
    case 0x85: case 0x86: case 0x87: return tuple(m, op - 0x84);
    case 't': return to_mark(m, TL_PY_TUPLE);
    case 'a': return extend(m, 1, TL_PY_LIST);
    case 'e': return to_mark(m, TL_PY_LIST);
    case 's': return extend(m, 2, TL_PY_DICT);
    case 'u': return to_mark(m, TL_PY_DICT);
    case 'c': return old_global(m);
    case 0x93: return stack_global(m);
    case 'R': return call(m);
    case 'Q': return persistent(m);
    case 'q': return with_int(m, 1, remember);
    case 'r': return with_int(m, 4, remember);
    case 0x94: return remember(m, (uint64_t)m->memo.n);
    case 'h': return with_int(m, 1, recall);
    case 'j': return with_int(m, 4, recall);
    default: return tl_fail(TL_EUNSUP, "it uses the opcode 0x%02x, which plain data does not need", op);
    }
}

tl_status tl_pickle_parse(tl_arena *a, tl_bytes b, const char *const *allowed, tl_pickle *out)
{
    machine m = { .arena = a, .allowed = allowed, .p = b.p, .end = b.p + b.n };
    while (!m.stopped) {
        const uint8_t *op;
        TL_TRY(take(&m, 1, &op));
        TL_TRY(step(&m, *op));
    }
    TL_CHECK(m.stack.n == 1 && !m.mark.n, TL_EFORMAT, "the pickle is damaged: it ends with %d values", m.stack.n);
    *out = (tl_pickle){ m.value, m.stack.at[0] };
    return TL_OK;
}

const tl_py *tl_py_at(const tl_pickle *p, const tl_py *c, int i)
{
    static const tl_py none = { .kind = TL_PY_NONE };
    return i < c->item.n ? (const tl_py *)p->value.at + ((const int *)c->item.at)[i] : &none;
}

const tl_py *tl_py_get(const tl_pickle *p, const tl_py *d, const char *key)
{
    for (int i = 0; d->kind == TL_PY_DICT && i + 1 < d->item.n; i += 2) {
        const tl_py *k = tl_py_at(p, d, i);
        if (k->kind == TL_PY_STR && !strcmp(k->text, key)) return tl_py_at(p, d, i + 1);
    }
    return NULL;
}

/* import.c - which importer reads a file. SPDX-License-Identifier: MIT */
#include "import.h"
#include "seal.h"
#include "text.h"

#define ROW(name) extern const tl_importer tl_importer_##name;
TL_IMPORTERS(ROW)
#undef ROW
#define ROW(name) &tl_importer_##name,
static const tl_importer *const importers[] = { TL_IMPORTERS(ROW) };

const tl_importer *tl_importer_at(int i) { return i < TL_LEN(importers) ? importers[i] : NULL; }

static tl_status unknown(tl_arena *a)
{
    tl_text t = tl_text_new(a);
    for (int i = 0; i < TL_LEN(importers); i++)
        tl_textf(&t, "%s%s (%s)", i ? ", " : "", importers[i]->name, importers[i]->ends);
    const char *known = tl_text_end(&t);
    TL_NEW(known);
    return tl_fail(TL_EFORMAT, "the content is of no form that is read here: %s", known);
}

static tl_status read(tl_arena *a, const char *path, tl_bytes file, bool beside, tl_foreign *out)
{
    for (int i = 0; i < TL_LEN(importers); i++) {
        if (!importers[i]->knows(file)) continue;
        *out = (tl_foreign){ .format = importers[i]->name, .beside = beside, .note = "" };
        return importers[i]->read(a, path, file, out);
    }
    return unknown(a);
}

static tl_status import(tl_arena *a, const char *path, const char *key, bool beside, tl_foreign *out)
{
    tl_bytes file;
    TL_TRY(tl_file_read(a, path, 0, &file));
    tl_status s = tl_unseal(a, key, path, file, &file);
    if (!s) s = read(a, path, file, beside, out);
    return s ? tl_note(s, "reading '%s'", path) : TL_OK;
}

tl_status tl_import(tl_arena *a, const char *path, const char *key, tl_foreign *out)
{
    return import(a, path, key, false, out);
}

tl_status tl_import_beside(tl_arena *a, const char *path, const char *key, tl_foreign *out)
{
    return import(a, path, key, true, out);
}

/* unreadable.c - name the pictures that could not be read. SPDX-License-Identifier: MIT */
#include "data.h"
#include "listen.h"
#include "text.h"
#include <string.h>

tl_status tl_unreadable_report(tl_arena *a, const tl_loader *const *loader, int n,
                               const char *folder, const tl_listener *to, int *count)
{
    tl_text t = tl_text_new(a);
    const char *first = NULL, *path = folder ? tl_path_join(a, folder, "unreadable.txt") : NULL;
    *count = 0;
    for (int k = 0; k < n; k++) {
        tl_list bad = tl_loader_bad(loader[k]);
        for (int i = 0; i < bad.n; i++) {
            const char *why = ((const tl_bad *)bad.at)[i].why;
            if (!first) first = why;
            tl_textf(&t, "%s\n", why);
        }
        *count += bad.n;
    }
    if (!first) return TL_OK;
    const char *all = tl_text_end(&t);
    TL_NEW(all && (path || !folder) ? all : NULL);
    tl_say(to, "warning: %d unreadable picture%s left out%s%s; the first: %s\n", *count,
           *count == 1 ? "" : "s", path ? ", all listed in " : "", path ? path : "", first);
    return path ? tl_file_write(path, all, strlen(all)) : TL_OK;
}

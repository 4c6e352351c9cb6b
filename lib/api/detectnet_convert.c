/* detectnet_convert.c - labels into TFRecords: the original's dataset_convert. SPDX-License-Identifier: MIT */
#include "api.h"
#include "export.h"

tl_status tl_detectnet_v2_dataset_convert(tl_arena *a, const tl_dataset_convert_opts *o, const tl_listener *l,
                                          tl_dataset_convert_summary *out)
{
    const tl_dataset_export *spec;
    const char *warnings;
    tl_export_result r;
    TL_CHECK(o->dataset_export_spec && o->output_filename, TL_EARG,
             "dataset_convert needs a spec (-d) and what the files' names begin with (-o)");
    TL_TRY(tl_dataset_export_load(a, o->dataset_export_spec, NULL, o->overrides.at, o->overrides.n, &spec, &warnings));
    tl_tell(l, warnings);
    const tl_export_conf c = { o->output_filename, o->validation_fold, o->overwrite };
    TL_TRY(tl_dataset_export_write(a, spec, &c, l, &r));
    *out = (tl_dataset_convert_summary){ r.files, r.records, r.objects, r.dropped, r.warnings };
    tl_pair kpi[] = { { "records", (float)r.records }, { "objects", (float)r.objects } };
    if (!o->results_dir) return TL_OK;
    return tl_record(a, o->results_dir, "TFRecords generation complete.", (tl_list){ TL_LEN(kpi), kpi });
}

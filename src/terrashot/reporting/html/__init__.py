"""``report.html`` of a run and of a sweep: plain values in, one self-contained page out.

`run_report` and `sweep_report` gather what `page` puts into the templates of this folder. Their
parts: `header`, `scores`, `rules`, `tile_set`, `heat_map`, `line_chart`, `strip`, `config_lines`;
`parts` holds what both share, `formats` writes numbers.
"""

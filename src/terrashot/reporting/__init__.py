"""Figures and tables; plain values in, no training and no network.

Tables: `class_table` (as files: `class_files`, `latex_table`), `rule_table`, `map_table`,
`run_summary`. Pictures: `panels` of a tile and `map_picture` of a scene, with a `legend`; the
`*_figure` files draw with matplotlib in the look of `figures`. `ablation` says what a sweep found,
`ablation_table` and `ablation_figure` show it. `html/` makes ``report.html``.
"""

"""``report.html`` of a run and of a sweep: plain values in, one self-contained page out."""

"""Windows with one class each, for tasks that classify or compare patches."""

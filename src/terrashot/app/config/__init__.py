"""From the command line to checked, typed settings.

`compose` lets Hydra compose, `groups` knows the options of core and wings, `typed` turns the
result into the Settings class of the run's task (`fields`: its keys and ranges; `moved`: names of
earlier versions), `checks` finds what can't work before any long work.
"""

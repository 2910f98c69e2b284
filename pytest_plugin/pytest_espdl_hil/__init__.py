"""The pytest plugin: models × boards as tests, from a suite file or from Python.

Options are in ``options``, selection and sessions in ``bench``, suite files in ``items``, what
Python tests use in ``fixtures``, workers in ``scheduling``, results in ``reporting``; ``plugin``
joins them.
"""

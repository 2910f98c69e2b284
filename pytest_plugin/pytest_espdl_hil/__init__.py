"""The pytest plugin: models × boards as tests, from a suite file or from Python.

Options are in ``options``, selection and sessions in ``bench``, suite files in ``items``, what
Python tests use in ``fixtures`` and, over a pytest-embedded ``dut``, in ``embedded``, workers in
``scheduling``, results in ``reporting``; ``plugin`` joins them.
"""

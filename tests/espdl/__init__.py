"""Tests of espdl_hil.espdl."""

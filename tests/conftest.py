"""What all tests share: the hypothesis profile and pytest's own test tool."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# No asserting of seconds: a loaded machine is not a wrong answer. Equal examples in every CI run.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

/* Stand-in for host builds: only what this firmware calls, after the public API. */
#pragma once
/* A section of its own, so that the test can carry it over a "reset". */
#define __NOINIT_ATTR __attribute__((section("hil_noinit")))

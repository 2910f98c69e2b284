"""Handlers of port URLs for pyserial, in the place of its own; see pyserial's ``serial_for_url``.

``python -m espdl_hil.transport.urls MODULE ARGUMENTS`` runs a Python program with them. So esptool,
which stays a program of its own, gets an RFC 2217 port that does not cost it half a minute.
"""

PACKAGE = __name__

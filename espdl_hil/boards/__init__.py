"""The bench: the inventory, finding and locking boards, flashing, and sessions with them.

Import what you need from the modules: ``inventory`` for names, ``session`` to use a board. This
package imports nothing by itself, so that reading an inventory does not load a serial library.
"""

"""Where a board is: by port, by link, by USB serial number, without permission, or nowhere."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from espdl_hil.boards.discovery import (
    Accessibility,
    demand_port,
    find_board,
    port_kind,
    unclaimed,
)
from espdl_hil.boards.inventory import Board
from espdl_hil.errors import BoardNotFoundError, TransportError
from espdl_hil.targets import target_named
from espdl_hil.transport import FoundPort

S3 = target_named("esp32s3")


def usb(device: str, serial_number: str = "", problem: str = "") -> FoundPort:
    return FoundPort(device, "bridge", 0x303A, 0x1001, serial_number, "1-1", problem)


def by_port(port: str) -> Board:
    return Board("b", S3, virtual=False, port=port)


def by_serial(text: str) -> Board:
    return Board("b", S3, virtual=False, usb_serial=text)


def test_a_board_is_found_by_its_usb_serial_number_wherever_it_is_plugged_in():
    finding = find_board(
        by_serial("7C:DF:A1:00:00:01"), [usb("/dev/x"), usb("/dev/y", "7cdfa1000001")]
    )
    assert (finding.access, demand_port(finding)) == (Accessibility.READY, "/dev/y")


def test_port_and_serial_number_of_one_unit_share_one_lock():
    ports = [usb("/dev/ttyACM3", "0001")]
    assert find_board(by_port("/dev/ttyACM3"), ports).identity == "usb-0001"
    assert find_board(by_serial("0001"), ports).identity == "usb-0001"


def test_a_link_leads_to_the_same_board_as_its_device(tmp_path: Path):
    device = tmp_path / "ttyUSB0"
    device.touch()
    link = tmp_path / "by-id"
    link.symlink_to(device)
    ports = [usb(str(device), "0001")]
    assert find_board(by_port(str(link)), ports).identity == "usb-0001"


def test_a_port_without_permission_is_found_and_explained():
    finding = find_board(by_serial("0001"), [usb("/dev/x", "0001", "permission denied")])
    assert finding.access is Accessibility.NO_PERMISSION
    with pytest.raises(TransportError, match="dialout"):
        demand_port(finding)


@pytest.mark.parametrize("board", [by_port("/dev/none"), by_serial("0001")])
def test_a_board_that_is_not_plugged_in_is_told(board: Board):
    with pytest.raises(BoardNotFoundError, match="plugged in"):
        demand_port(find_board(board, []))


def test_a_pseudo_terminal_is_a_port_although_the_system_does_not_list_it():
    master, slave = pty.openpty()
    try:
        finding = find_board(by_port(os.ttyname(slave)), [])
        assert finding.access is Accessibility.READY
    finally:
        os.close(master)
        os.close(slave)


def test_a_url_is_taken_as_it_is():
    finding = find_board(by_port("rfc2217://lab:4000"), [])
    assert (finding.access, demand_port(finding)) == (Accessibility.REMOTE, "rfc2217://lab:4000")


def test_ports_that_no_board_claims_are_listed():
    ports = [usb("/dev/x", "0001"), usb("/dev/y", "0002")]
    findings = [find_board(by_serial("0001"), ports)]
    assert [port.device for port in unclaimed(findings, ports)] == ["/dev/y"]
    assert port_kind(ports[1]) == "USB-Serial-JTAG"


def test_a_pseudo_terminal_without_permission_is_a_state_and_no_missing_board(monkeypatch):
    controller, terminal = os.openpty()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may open everything
    finding = find_board(by_port(os.ttyname(terminal)), [])
    os.close(controller)
    os.close(terminal)
    assert finding.access is Accessibility.NO_PERMISSION
    assert finding.access.value == "permission denied"


def test_what_is_no_port_is_not_called_ready(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path):
        finding = find_board(by_port(str(path)), [])
        assert finding.access is Accessibility.NO_PORT
        with pytest.raises(TransportError, match=r"not a serial port(.|\n)*inventory"):
            demand_port(finding)

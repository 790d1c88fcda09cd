"""pcapng files, read back block by block, and by tshark where it is installed."""

import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia.trace.pcapng import PcapngWriter

V4, V4_PEER = ("10.0.0.1", 5060), ("10.0.0.2", 10000)
V6, V6_PEER = ("fd00::1", 5060), ("fd00::2", 10000)


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        yield kind, data[8 : length - 4]
        data = data[length:]


def written(*datagrams: bytes, v6: bool = False) -> bytes:
    file = io.BytesIO()
    writer = PcapngWriter(file, started_at=1_767_225_600, comment="seed 7")
    for number, data in enumerate(datagrams):
        addresses = (V6, V6_PEER) if v6 else (V4, V4_PEER)
        writer.write(number * 0.02, "bob", *addresses, data)
    return file.getvalue()


def words_sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def test_a_section_an_interface_and_packets() -> None:
    kinds = list(blocks(written(b"abc", b"abcd")))
    assert [kind for kind, _ in kinds] == [0x0A0D0D0A, 1, 6, 6]
    assert b"seed 7" in kinds[0][1]
    assert b"sipmedia" in kinds[0][1]
    assert b"bob" in kinds[1][1]
    assert struct.unpack_from("<H", kinds[1][1]) == (101,)
    interface, high, low, captured, original = struct.unpack_from("<IIIII", kinds[3][1])
    assert (interface, captured, original) == (0, 32, 32)
    assert high << 32 | low == 1_767_225_600_020_000_000


@pytest.mark.parametrize("data", [b"", b"x", b"odd", bytes(172), b"\xff" * 1400, bytes(range(256))])
@pytest.mark.parametrize("v6", [False, True])
def test_headers_have_right_checksums(data: bytes, v6: bool) -> None:
    _, _, (_, block) = blocks(written(data, v6=v6))
    size = struct.unpack_from("<I", block, 12)[0]
    packet = block[20 : 20 + size]
    if v6:
        assert packet[0] >> 4 == 6
        assert struct.unpack_from("!HBB", packet, 4) == (len(data) + 8, 17, 64)
        addresses, datagram = packet[8:40], packet[40:]
    else:
        assert packet[0] == 0x45
        assert words_sum(packet[:20]) == 0xFFFF
        addresses, datagram = packet[12:20], packet[20:]
    assert struct.unpack_from("!HHH", datagram) == (5060, 10000, len(data) + 8)
    assert datagram[8:] == data
    pseudo = addresses + struct.pack("!HH", 17, len(datagram))
    assert words_sum(pseudo + datagram + bytes(len(datagram) % 2)) == 0xFFFF
    assert datagram[6:8] != b"\0\0"


def test_sent_packets_and_comments_are_marked() -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    writer.write(0.0, "alice", V4, V4_PEER, b"x", inbound=False, comment="dropped: loss")
    *_, (_, block) = blocks(file.getvalue())
    assert b"dropped: loss" in block
    assert struct.pack("<HHI", 2, 4, 2) in block


def test_tshark_reads_it(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    path = tmp_path / "two.pcapng"
    path.write_bytes(written(b"abc", bytes(200)))
    fields = ["frame.interface_name", "ip.src", "udp.dstport", "udp.length", "udp.checksum.status"]
    shown = subprocess.run(
        [tshark, "-r", str(path), "-o", "udp.check_checksum:TRUE", "-T", "fields"]
        + [argument for field in fields for argument in ("-e", field)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.splitlines() == ["bob\t10.0.0.1\t10000\t11\t1", "bob\t10.0.0.1\t10000\t208\t1"]

"""What an event loop has and a simulated one has not."""

from typing import Any, NoReturn

from sipmedia.simulation.errors import NotSimulated


def _not_simulated(*args: Any, **options: Any) -> NoReturn:
    raise NotSimulated(
        "readers and writers, sock_* methods, Unix sockets, pipes and subprocesses are not simulated; "
        "use datagram endpoints, connections and servers by address"
    )


class OnlyReal:
    """The methods of a loop that need real sockets, pipes or processes; each raises `NotSimulated`."""

    add_reader: Any = _not_simulated
    remove_reader: Any = _not_simulated
    add_writer: Any = _not_simulated
    remove_writer: Any = _not_simulated
    sock_recv: Any = _not_simulated
    sock_recv_into: Any = _not_simulated
    sock_recvfrom: Any = _not_simulated
    sock_recvfrom_into: Any = _not_simulated
    sock_sendall: Any = _not_simulated
    sock_sendto: Any = _not_simulated
    sock_connect: Any = _not_simulated
    sock_accept: Any = _not_simulated
    sock_sendfile: Any = _not_simulated
    create_unix_connection: Any = _not_simulated
    create_unix_server: Any = _not_simulated
    connect_accepted_socket: Any = _not_simulated
    connect_read_pipe: Any = _not_simulated
    connect_write_pipe: Any = _not_simulated
    subprocess_shell: Any = _not_simulated
    subprocess_exec: Any = _not_simulated
    sendfile: Any = _not_simulated
    start_tls: Any = _not_simulated

"""All transactions of one core: making, finding and forgetting them."""

from __future__ import annotations

from collections.abc import Callable

from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.timers import TimerQueue, Timers
from dialog.transaction.base import Transaction
from dialog.transaction.client import ClientTransaction, ClientUser
from dialog.transaction.matching import ClientKey, MergeKey, ServerKey, client_key, merge_key, server_key
from dialog.transaction.server import ServerTransaction


class TransactionLayer:
    """The transactions in progress, found by their keys."""

    def __init__(
        self,
        timers: Timers,
        queue: TimerQueue,
        send: Callable[[Flow, bytes], None],
        send_elsewhere: Callable[[ServerTransaction, bytes], None],
    ) -> None:
        self.timers = timers
        self.queue = queue
        self.send = send
        self.send_elsewhere = send_elsewhere
        self._clients: dict[ClientKey, ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._merges: dict[MergeKey, ServerTransaction] = {}
        # Dictionaries as sets that keep their order: what fails together fails in the order it began.
        self._by_flow: dict[Flow, dict[Transaction, None]] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def request(self, request: Request, flow: Flow, user: ClientUser) -> ClientTransaction:
        """A new client transaction for a request of ours, not yet started."""
        key = (request.via.branch or "", request.method)
        transaction = ClientTransaction(self, key, request, flow, user)
        self._clients[key] = transaction
        self._by_flow.setdefault(flow, {})[transaction] = None
        return transaction

    def receive_response(self, response: Response) -> bool:
        """Give a response to its transaction; False when there is none."""
        transaction = self._clients.get(client_key(response))
        if transaction is None:
            return False
        transaction.receive(response)
        return True

    def find_server(self, request: Request, method: str | None = None) -> ServerTransaction | None:
        """The transaction this request belongs to: as a retransmission, an ACK, or (by method) a CANCEL."""
        return self._servers.get(server_key(request, method))

    def find_merged(self, request: Request) -> ServerTransaction | None:
        """The transaction of which this new request is a copy that came by another way (8.2.2.2)."""
        key = merge_key(request)
        return None if key is None else self._merges.get(key)

    def serve(self, request: Request, flow: Flow) -> ServerTransaction:
        """A new server transaction; its responses go out on `flow`."""
        key = server_key(request)
        transaction = ServerTransaction(self, key, request.method, flow)
        self._servers[key] = transaction
        self._by_flow.setdefault(flow, {})[transaction] = None
        if flow.connection:
            transaction.via = request.via
        merge = merge_key(request)
        if merge is not None and merge not in self._merges:
            transaction.merge_key = merge
            self._merges[merge] = transaction
        return transaction

    def uses(self, flow: Flow) -> bool:
        """Whether a transaction is carried by this flow."""
        return flow in self._by_flow

    def flow_lost(self, flow: Flow) -> None:
        """Tell every transaction of this flow that it cannot be sent on.

        Responses may find another way; for a call not answered yet that is found out at once.
        """
        for transaction in list(self._by_flow.get(flow, ())):
            if isinstance(transaction, ServerTransaction) and transaction.via is not None:
                transaction.lost = True
                if transaction.unanswered_invite:
                    self.send_elsewhere(transaction, b"")
            else:
                transaction.transport_error()

    def move(self, transaction: ServerTransaction, flow: Flow) -> None:
        """The responses of a transaction go another way from now on."""
        self._leave_flow(transaction)
        transaction.flow = flow
        transaction.lost = False
        self._by_flow.setdefault(flow, {})[transaction] = None

    def forget(self, transaction: Transaction) -> None:
        """The transaction has terminated."""
        if isinstance(transaction, ServerTransaction):
            if self._servers.get(transaction.key) is transaction:
                del self._servers[transaction.key]
            if transaction.merge_key is not None:
                self._merges.pop(transaction.merge_key, None)
                transaction.merge_key = None
        elif isinstance(transaction, ClientTransaction) and self._clients.get(transaction.key) is transaction:
            del self._clients[transaction.key]
        self._leave_flow(transaction)

    def _leave_flow(self, transaction: Transaction) -> None:
        siblings = self._by_flow.get(transaction.flow)
        if siblings is not None:
            siblings.pop(transaction, None)
            if not siblings:
                del self._by_flow[transaction.flow]

"""An operation of the gateway: its names, who may use it, and what a request for it takes of its client's rate."""

from dataclasses import dataclass

from app.clients.identity import Scope


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one operation.

    `scope` is what the client needs; None lets every client in, but nobody without a credential. `is_public` needs no
    credential at all. `asks_model` says that a model may be asked: each request takes a unit of the client's requests a
    minute and holds one of its slots, before its body is read. `has_address` says that an upload session's own address
    stands for a credential.
    """

    scope: Scope | None = None
    is_public: bool = False
    asks_model: bool = False
    has_address: bool = False


PUBLIC = Access(is_public=True)
ANY_CLIENT = Access()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name in the ledger, its path template as the log shows it, and who may use it."""

    operation_id: str
    path: str
    access: Access


@dataclass(frozen=True, slots=True)
class Target:
    """The operation that a request is for, None if the path or its method does not exist.

    `access` holds for the request, whether the operation exists or not. `is_rest` says that the path is one of the
    REST application's; `methods` are then those of the path, if the request has another method.
    """

    operation: Operation | None
    access: Access
    is_rest: bool
    methods: frozenset[str] = frozenset()


UNKNOWN = Target(None, ANY_CLIENT, is_rest=False)
"""A path that does not exist: closed to everybody without a credential, like each operation that is not public."""

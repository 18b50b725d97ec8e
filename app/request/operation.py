"""An operation of the gateway: its names, the right it needs, and its requests' share of the client's rate."""

from dataclasses import dataclass

from app.clients.identity import Scope


@dataclass(frozen=True, slots=True)
class Access:
    """The access rule of one operation.

    `scope` is the scope that the client needs; None admits every client, but nobody without a credential. `is_public`
    needs no credential. `asks_model` means that the operation may run a model: each request counts against the client's
    requests a minute and holds one of its slots, before its body is read. `has_address` accepts the address of an
    upload session as a credential.
    """

    scope: Scope | None = None
    is_public: bool = False
    asks_model: bool = False
    has_address: bool = False


PUBLIC = Access(is_public=True)
ANY_CLIENT = Access()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name in the ledger, its path template for the log, and its access rule."""

    operation_id: str
    path: str
    access: Access


@dataclass(frozen=True, slots=True)
class Target:
    """The operation that a request is for; None if the path or its method does not exist.

    `access` applies whether the operation exists or not. `is_rest` marks a path of the REST application; `methods` are
    then the path's methods, if the request has another method.
    """

    operation: Operation | None
    access: Access
    is_rest: bool
    methods: frozenset[str] = frozenset()


UNKNOWN = Target(None, ANY_CLIENT, is_rest=False)
"""A path that does not exist: like every operation that is not public, it needs a credential."""

"""dialog/errors.py"""

import pytest

from dialog import errors
from dialog.errors import LocalProtocolError, ParseError, RemoteProtocolError, SipError


def test_everything_is_under_one_root() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), SipError)
    assert issubclass(ParseError, RemoteProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


def test_the_message_names_the_field() -> None:
    error = ParseError(400, "Bad Via", "Via")
    assert str(error) == "Via: Bad Via"
    assert (error.status, error.reason, error.field, error.message) == (400, "Bad Via", "Via", None)


def test_without_a_field_the_message_is_the_reason() -> None:
    assert str(RemoteProtocolError(None, "Not A SIP Message")) == "Not A SIP Message"


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__


def test_one_except_catches_all() -> None:
    with pytest.raises(SipError):
        raise errors.AddressInUse("udp 127.0.0.1:5060 is taken; choose another port with bind")

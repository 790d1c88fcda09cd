"""A call that waits until a STUN server has told what our address is outside of a NAT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from media import MediaError
from sipmedia.parties import CallState

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.offer_answer import OfferAnswer


async def call_from_outside(call: Call, media: OfferAnswer, late_offer: bool) -> None:
    """Ask, and send the INVITE that was held back; at once without an answer, when the server is silent for
    too long. Nothing is sent for a call that was given up meanwhile."""
    over = asyncio.ensure_future(call.ended())
    asking = asyncio.ensure_future(media.gather())
    try:
        await asyncio.wait([over, asking], return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
        asking.cancel()
    try:
        await asking
        if call.state is not CallState.ENDED:
            call.usage.start(None if late_offer else media.offer())
    except MediaError as error:
        call.cannot_offer(error)
    except asyncio.CancelledError:
        if call.state is not CallState.ENDED:
            raise


async def ask_before_ringing(call: Call, media: OfferAnswer, announce: Callable[[Call], None]) -> None:
    """Ask before the application is shown a call that came in: early media and the answer can then name the
    address outside, and neither has to wait."""
    try:
        await media.gather()
    except MediaError as error:
        if call.state is not CallState.ENDED:
            call.refuse_media(error)
    else:
        if call.state is not CallState.ENDED:
            announce(call)

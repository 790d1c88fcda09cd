"""A registrar and proxy small enough to be read in one sitting, for demos and tests.

It registers the users of one domain (digest, several phones each, GRUU, Path, connections kept), and sends
requests on to them: to all phones at once, staying on the way by Record-Route, as RFC 3261 section 16 has it.
For real deployments there is Kamailio: nothing here is kept over a restart, or made for thousands of calls.

    location     who is where          forwarding     requests on, responses back
    core         who may do what       server         the sockets
"""

from sipmedia.registrar.core import Policy, RegistrarCore
from sipmedia.registrar.events import BindingsChanged, RequestRefused, RequestRouted
from sipmedia.registrar.server import Registrar

__all__ = ["BindingsChanged", "Policy", "Registrar", "RegistrarCore", "RequestRefused", "RequestRouted"]

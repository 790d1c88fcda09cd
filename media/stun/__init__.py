"""STUN (RFC 8489) as far as a phone needs it: what the address of its RTP socket looks like from outside.

message      the wire format                       transaction   one Binding request, its repeats and its end
responder    the other side, for tests             gathering     who asks, from the sockets of a stream
"""

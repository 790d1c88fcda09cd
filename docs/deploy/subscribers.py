"""The proxy's table of users, from lines "name password" on the standard input.

    python subscribers.py phones.example <passwords >users/subscriber

The table holds digests (RFC 7616's A1), with which one can register, so keep it as secret as the passwords.
"""

import hashlib
import sys

domain = sys.argv[1]
print("username(string) ha1(string) ha1_sha256(string)")
for line in sys.stdin:
    name, _, password = line.strip().partition(" ")
    if name:
        secret = f"{name}:{domain}:{password}".encode()
        print(f"{name}:{hashlib.md5(secret).hexdigest()}:{hashlib.sha256(secret).hexdigest()}")

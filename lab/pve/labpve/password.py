"""Passwords of cloud-init, hashed as PVE does it."""

import ctypes
import re
import secrets


def encrypt_password(plain: str) -> str:
    """PVE::Tools::encrypt_pw: SHA-256 crypt with a random salt; what is hashed already stays."""
    if re.match(r'\$(?:[56]|y|2[aby])\$', plain):
        return plain
    crypt = ctypes.CDLL('libcrypt.so.1').crypt
    crypt.restype = ctypes.c_char_p
    return bytes(crypt(plain.encode(), b'$5$' + secrets.token_hex(4).encode() + b'$')).decode()

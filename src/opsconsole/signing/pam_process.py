"""The process in which PAM runs: a question on its standard input, the answer on its standard output."""

import os
import resource
import sys

import msgspec

from opsconsole.signing.pam import Answered, Asked


def main() -> int:
    """Answer one question."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a module that crashes must not leave the password in a file
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    channel = os.dup(1)
    os.dup2(2, 1)  # modules print what they like
    answer = _judged(asked)
    os.write(channel, msgspec.json.encode(answer))
    return 0


def _judged(asked: Asked) -> Answered:
    import pam  # an optional extra

    judge = pam.pam()
    try:
        taken = judge.authenticate(asked.login, asked.password, service=asked.service, resetcreds=False)
    except ValueError as error:
        return Answered(4, str(error))
    if taken:
        return Answered(0)
    words = judge.reason.decode("utf-8", "replace") if isinstance(judge.reason, bytes) else str(judge.reason)
    return Answered(judge.code or 4, words)


if __name__ == "__main__":
    sys.exit(main())

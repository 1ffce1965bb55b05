"""Which cases are run."""

import fnmatch

# Sections 1 to 10, and of 12 and 13 (permessage-deflate) the cases with small messages: about a minute. Section 9 has
# messages of up to 16 MiB.
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*.[1-6]", "13.*.[1-6]"]
DEFLATE = ["12.*", "13.*"]
# How many there are in the suite: it is not to become smaller unnoticed.
WHOLE = 517


def known(engine):
    """All cases of the suite, in its order."""
    cases = engine.known()
    if len(cases) != WHOLE:
        raise SystemExit(f"the suite has {len(cases)} cases instead of {WHOLE}")
    return cases


def select(cases, patterns):
    """The cases that one of the patterns stands for: `1.1.1`, `12.*`, `13.*.[1-6]`."""
    for pattern in patterns:
        if not any(matches(case, pattern) for case in cases):
            raise SystemExit(f"there is no case {pattern}")
    return [case for case in cases if not patterns or any(matches(case, pattern) for pattern in patterns)]


def without(cases, patterns):
    return [case for case in cases if not any(matches(case, pattern) for pattern in patterns)]


def matches(case, pattern):
    # A `*` in the middle stands for one number: `12.*.1` is not 12.1.10.
    parts, wanted = case.split("."), pattern.split(".")
    if wanted[-1] == "*":
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))

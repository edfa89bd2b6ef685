"""What preparing a source takes, with an empty cache: python benchmarks/preparing.py portraits:FOLDER ..."""

import json
import os
import resource
import shutil
import sys
import tempfile
import warnings

import configural as cf
from configural.errors import ConfiguralError
from configural.portraits.landmarks import bundle_file, find_bundle

_WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _used() -> float:
    """Seconds of processor time so far, of this process and those that it has started."""
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, _WHOSE))


def main(sources: list[str]) -> None:
    """Print a line of JSON per source."""
    warnings.simplefilter("ignore")
    try:
        bundle = find_bundle()
    except ConfiguralError:  # needed by portraits:FOLDER alone
        bundle = None
    for source in sources:
        with tempfile.TemporaryDirectory() as cache, cf.progress.hidden():
            os.environ["CONFIGURAL_CACHE"] = cache
            if bundle:
                bundle_file().parent.mkdir()
                shutil.copy(bundle, bundle_file())
            cf.portraits.load("synthetic:2")  # whatever is imported but once
            before = _used()
            library = cf.portraits.load(source)
            first = _used()
            cf.portraits.load(source)
            number = len(library) + len(library.skipped)
            row = {
                "source": source.rpartition("/")[2],
                "portraits": number,
                "skipped": len(library.skipped),
                "ms_each": round(1e3 * (first - before) / number, 1),
                "ms_each_again": round(1e3 * (_used() - first) / number, 2),
                "mib_highest": max(resource.getrusage(who).ru_maxrss for who in _WHOSE) >> 10,
            }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The nightly refresh's look at everybody, as a Spark application that operators submit (docs/population.md).

    values EXPORT --bucket BUCKET               print the population parameters as JSON
    moved EXPORT --bucket BUCKET --out FOLDER   write the customers whom the program moves, a line each
    moved EXPORT --bucket BUCKET --due URL      bring them up for evaluation, as the refresh does

EXPORT is the folder of an export's data files. The program is in the folder PROGRAM_PATH, with what the bucket says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from functools import partial

from pyspark.sql import SparkSession

from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.queue import SqsQueue, sqs_client
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.population.spark import moved_roots, parameter_values
from regulars.adapters.system import SystemClock
from regulars.application.refresh import bring_up
from regulars.runtime.settings import program_folder


def main(arguments: Sequence[str]) -> None:
    """Run one of the three."""
    asked = _asked(arguments)
    clock = SystemClock()
    basis = S3ProgramStore(s3_client(), asked.bucket, program_folder(), clock=clock).basis()
    session = SparkSession.builder.appName("regulars").getOrCreate()
    if asked.what == "values":
        sys.stdout.write(json.dumps(parameter_values(session, asked.export, basis, clock.now())) + "\n")
        return
    roots = moved_roots(session, asked.export, basis, clock.now())
    if asked.out:
        roots.saveAsTextFile(asked.out)
    else:
        roots.foreachPartition(partial(_brought_up, asked.due, basis.parameters.version))


def _brought_up(due_url: str, version: int, roots: Iterable[str]) -> None:
    """Runs where the customers are: a client does not travel."""
    bring_up(SqsQueue(sqs_client(), due_url), roots, parameters=version)


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("values", "moved"))
    parser.add_argument("export")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--out")
    parser.add_argument("--due")
    asked = parser.parse_args(arguments)
    if asked.what == "moved" and (asked.out is None) == (asked.due is None):
        parser.error("moved needs either --out or --due")
    return asked


if __name__ == "__main__":
    main(sys.argv[1:])

# SPDX-License-Identifier: PostgreSQL
"""kill -9 at any instant leaves what the next apply completes without repair
by hand, or names as in doubt: tests/chaos, in the measure of a test run."""

import os
import re
import subprocess

import pytest

from harness.process import CHECKOUT, die_with_parent

FAULTS = re.compile(r"(\d+) faults .* (\d+) questions answered.* (\d+) violations$")
TIMEOUT = 600

pytestmark = pytest.mark.skipif(
    "MIGRATIOND_FAILPOINT_BIN" not in os.environ,
    reason="MIGRATIOND_FAILPOINT_BIN names no build with --enable-failpoints")


def chaos(*args):
    """tests/chaos to its end; its last line, which is shown on failure."""
    done = subprocess.run(
        [CHECKOUT / "tests" / "chaos", *map(str, args)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT,
        check=False, preexec_fn=die_with_parent())
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout.splitlines()[-1]


def tally(line):
    """(faults, questions) of a run of tests/chaos that found nothing wrong."""
    match = FAULTS.search(line)
    assert match, line
    assert match[3] == "0"
    return int(match[1]), int(match[2])


def test_every_step_then_at_random():
    faults, questions = tally(chaos("--runs", 500))
    assert faults >= 500
    assert questions == 0, "a transactional migration is never in doubt"


def test_every_step_of_statements_that_run_alone():
    faults, questions = tally(chaos("--runs", 1, "--scenario", "nontx",
                                    "--actions", "kill"))
    assert faults >= 300
    assert questions > 0, "dying beside such a statement leaves a question"


def test_every_step_of_a_backfill_in_batches():
    faults, questions = tally(chaos("--runs", 1, "--scenario", "batches",
                                    "--actions", "kill,drop"))
    assert faults >= 300
    assert questions == 0, "a batch is a transaction like any other"


def test_every_step_of_a_run_that_fails():
    assert tally(chaos("--runs", 1, "--scenario", "broken",
                       "--actions", "kill"))[0] >= 100


@pytest.mark.parametrize("scenario", ["hostile", "snapshot"])
def test_files_that_shake_the_lock_off(scenario):
    assert tally(chaos("--runs", 80, "--scenario", scenario, "--no-walk"))[0] >= 80
    tally(chaos("--runs", 80, "--scenario", scenario, "--no-walk", "--mode", "crowd"))


def test_one_that_stands_still_for_longer_than_its_lease():
    assert tally(chaos("--runs", 60, "--lock", "lease", "--actions", "hang"))[0] >= 60


def test_every_system_call():
    trial = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                           text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"strace cannot trace here: {trial.stderr.strip()}")
    assert tally(chaos("--syscalls"))[0] >= 200


def test_the_harness_has_teeth():
    """Planted violations, and each guard taken away in turn."""
    chaos("--self-test")

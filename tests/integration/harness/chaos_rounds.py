# SPDX-License-Identifier: PostgreSQL
"""The rounds of tests/chaos: what is done to migrationd, and the looks at what
is left. Each round takes the world, the places that an undisturbed run passes
and a seed, and returns the violations that it found."""

import collections
import concurrent.futures
import contextlib
import http.client
import random
import signal
import subprocess
import time

from harness import chaos_check as check
from harness.chaos_check import Answer, State
from harness.chaos_world import TIMEOUT_S
from harness.daemon import Daemon

RUN_S = 0.03  # about what a run takes: random faults strike within it
CALLERS = 6
BESIDE_S = 2
# a kernel knows some of these by other names only: strace leaves out what it does not know
SYSCALLS = ("sendto", "recvfrom", "poll", "epoll_wait", "epoll_pwait", "epoll_ctl", "socket", "connect", "getsockopt",
            "setsockopt", "fcntl", "shutdown", "openat", "openat2", "read", "pread64", "write", "writev", "newfstatat",
            "getdents64", "close", "getrandom", "exit_group")


class Tally:
    """What was done; plain numbers, so that workers can be added up."""

    def __init__(self):
        self.rounds = 0
        self.runs = 0
        self.hit = collections.Counter()  # faults that struck
        self.missed = 0  # came too late
        self.questions = 0  # in_doubt: answered as a person would
        self.longest_lock_s = 0.0

    def faults(self):
        return sum(self.hit.values())

    def count_rounds(self):
        return self.rounds

    def as_dict(self):
        return {"rounds": self.rounds, "runs": self.runs, "hit": self.hit, "missed": self.missed, "questions": self.questions,
                "longest_lock_s": self.longest_lock_s}

    def add(self, other):
        self.rounds += other.get("rounds", 0)
        self.runs += other.get("runs", 0)
        self.missed += other.get("missed", 0)
        self.questions += other.get("questions", 0)
        self.hit.update(other.get("hit", {}))
        self.longest_lock_s = max(self.longest_lock_s, other.get("longest_lock_s", 0))

    def report(self, seconds):
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.hit.items()))
        return (f"{self.rounds} rounds, {self.runs} runs, {self.faults()} faults ({kinds or 'none'}; {self.missed} came "
                f"too late), {self.questions} questions answered, in {seconds:.1f} s, {self.faults() / seconds:.1f} a second, a lock was held for "
                f"{self.longest_lock_s * 1000:.0f} ms at the longest")


# ---- one attempt: some processes, some faults, a look


def aim(world, points, rng, index):
    """Arguments for World.start: a fault that the process carries in itself."""
    name, at = rng.choice(points)
    kind = rng.choice(("kill", "kill", "drop"))
    if kind == "drop":
        name, at = rng.choice([p for p in points if not p[0].startswith("state:")])
    process = world.start(env={"MIGRATIOND_FAILPOINT": f"{name}:{at}={kind}"}, name=f"p{index}")
    process.faults.add(kind)
    return process


def attempt(world, points, rng, tally, count, faults=True):
    """`count` processes at once, faults on the first and on some of the others.
    The answers of those that could give one."""
    processes, timed = [], []
    started = time.monotonic()
    for index in range(count):
        struck = faults and (index == 0 or rng.random() < 0.4)
        how = rng.choice(("place", "place", "time", "terminate")) if struck else None
        if how == "place":
            processes.append(aim(world, points, rng, index))
            continue
        processes.append(world.start(name=f"p{index}"))
        if how:
            timed.append((started + rng.random() * RUN_S * (1 + count / 2), how, processes[-1]))
    for at, how, process in sorted(timed, key=lambda one: one[0]):
        time.sleep(max(0.0, at - time.monotonic()))  # the fault's own time, not a wait for anything
        if how == "time":
            process.faults.add("kill")
            process.signal(signal.SIGKILL)
        else:
            # it may be anybody's session
            for other in processes:
                other.faults.add("terminate")
            tally.hit["terminate"] += world.terminate_one()
    return finish(world, processes, tally)


def finish(world, processes, tally):
    answers, bad = [], []
    for process in processes:
        process.wait()
        tally.runs += 1
        if process.code == 0:
            process.after = world.state()
        if process.hung:
            bad.append(f"{process.name} did not end")
        elif process.code == -signal.SIGKILL and "kill" in process.faults:
            tally.hit["kill"] += 1
        elif process.code < 0:
            bad.append(f"{process.name} died of signal {-process.code}: {process.err.read_text(errors='replace')[-2000:]}")
        elif "drop" in process.faults and process.code != 0:
            tally.hit["drop"] += 1
        elif process.faults & {"kill", "drop"}:
            tally.missed += 1
        if process.answer():
            answers.append(process.answer())
    return answers, bad


def look(world, answers, tally):
    """Between attempts: nobody is left, and what is there is right."""
    bad = world.settle()
    tally.longest_lock_s = max(tally.longest_lock_s, world.longest_lock_s)
    state = world.state()
    return bad + check.of_state(world.plan, state, world.loose) + check.of_answers(world.plan, answers, state), state


def heal(world, answers, tally, dump=False):
    """An undisturbed run completes by itself, but for the questions that only a
    person can answer."""
    process = world.start(name="heal")
    process.wait()
    while world.loose and process.code == check.EXIT_REFUSED:
        tally.questions += 1
        if bad := world.answer_doubt(process.document()):
            return bad
        process = world.start(name="heal")
        process.wait()
    if world.scenario == "broken":
        if process.code != check.EXIT_FAILED:
            return [f"the broken migration ended with {process.code}: {process.document()}"]
        world.repair_folder()
        process = world.start(name="heal")
        process.wait()
    world.settle()
    state = world.state()
    answer = process.answer()
    bad = [] if process.code == 0 else [
        f"not healed, exit code {process.code}: {process.document().get('error')} {process.err.read_text()[-500:]}"]
    bad += check.of_state(world.plan, state, world.loose)
    bad += check.of_answers(world.plan, answers + ([answer] if answer else []), state)
    return bad + check.of_end(world.plan, state, world.left(dump), {
        name: text for name, text in world.undisturbed.items() if dump or name != "pg_dump"})


def begin(world):
    bad = world.settle()
    world.empty()
    if world.scenario == "broken":
        world.break_folder()
    return bad


# ---- the rounds


def random_round(world, points, seed, tally):
    """Some attempts with faults at random, each going on from what the one before left, then healing."""
    rng = random.Random(seed)
    bad, all_answers = begin(world), []
    for _ in range(rng.randint(1, 5)):
        # a lease outlives who is killed: the others would only wait for its end
        count = 1 if world.lock == "lease" else rng.choice((1, 1, 1, 1, 2, 3, 4))
        answers, more = attempt(world, points, rng, tally, count)
        all_answers += excuse(world, answers)
        found, state = look(world, all_answers, tally)
        bad += more + found
        if bad or len(state.present()) == len(world.plan):
            break
    return bad or heal(world, all_answers, tally, dump=rng.random() < 0.02)


def crowd_round(world, points, seed, tally):
    """Four at once and no fault: who comes second has nothing to do."""
    rng = random.Random(seed)
    bad = begin(world)
    answers, more = attempt(world, points, rng, tally, 4, faults=False)
    found, _ = look(world, excuse(world, answers), tally)
    return bad + more + found or heal(world, excuse(world, answers), tally)


def excuse(world, answers):
    """Where the files themselves fail, or let the lock go, a run may fail beside
    another; what it says it did must be right all the same."""
    if world.scenario != "tx":
        for answer in answers:
            answer.disturbed = True
    return answers


def walk_places(world, points, actions):
    """Every place once, with all of `actions` that can happen there:
    "name:n=action". Only a command can lose its connection, and between two
    commands one place to hang is as good as another."""
    places = []
    for index, (name, at) in enumerate(points):
        possible = {"kill": "kill"}
        # what runs outside a transaction is kept by the clock of the one that stands
        # still, which cannot be moved on
        if name.startswith("state:") and not (world.loose and world.lock == "lease"):
            possible["hang"] = "hang+kill" if index % 2 else "hang+go on"
        if not name.startswith("state:"):
            possible["drop"] = "drop"
        places += [f"{name}:{at}={possible[action]}" for action in actions if action in possible]
    return places


def walk_round(world, points, place, tally):
    """One fault at one place: "name:n=kill"."""
    point, _, action = place.rpartition("=")
    bad = begin(world)
    process = world.start(env={"MIGRATIOND_FAILPOINT": f"{point}={action.split('+')[0]}"}, name="p0")
    process.faults.add(action.split("+")[0])
    if action.startswith("hang"):
        bad += beside_hung(world, process, action.split("+")[1], tally)
    answers, more = finish(world, [process], tally)
    found, _ = look(world, excuse(world, answers), tally)
    return bad + more + found or heal(world, answers, tally, dump=random.Random(place).random() < 0.1)


def beside_hung(world, process, then, tally):
    """The process stands still; another may finish only where it has no lock."""
    bad = []
    if not process.wait_stopped():
        return [f"it did not stop, but ended with {process.code}"] if process.code is None or process.code else []
    tally.hit["hang"] += 1
    world.expire()
    beside = world.start("--lock-wait", "0", name="beside")
    beside.faults.add("hang")
    # with the lease of one that stands still in a transaction it waits for that transaction
    if world.lock == "lease" and not beside.ends_within(BESIDE_S):
        beside.signal(signal.SIGKILL)
        beside.wait()
    elif beside.wait() not in (check.EXIT_FINE, check.EXIT_FAILED, check.EXIT_LOCK):
        bad.append(f"beside a hung one: exit code {beside.code}, {beside.document().get('error')}")
    bad += check.of_state(world.plan, world.state(), world.loose)
    if beside.code == check.EXIT_FINE:
        bad += check.of_answers(world.plan, [beside.answer()], world.state())
    process.faults.add("kill" if then == "kill" else "hang")
    process.signal(signal.SIGKILL if then == "kill" else signal.SIGCONT)
    return bad


def first_syscalls(world):
    """{name: the first call of it that is the program's own}: what comes
    before is the loader's, and `--version` has as many."""
    trace = world.directory / "strace"
    calls = ",".join(f"?{name}" for name in SYSCALLS)
    subprocess.run(["strace", "-o", trace, "-e", f"trace={calls}", world.binary, "--version"], check=True,
                   capture_output=True)
    made = collections.Counter(line.partition("(")[0] for line in trace.read_text(errors="replace").splitlines())
    return {name: max(1, made[name]) for name in SYSCALLS}


def syscall_round(world, points, seed, tally):
    """SIGKILL as the n-th call of its kind begins: "sendto:3"."""
    name, _, at = seed.partition(":")
    bad = begin(world)
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace=?{name}", "-e", f"inject=?{name}:signal=SIGKILL:when={at}",
         world.binary, "--once", *world.args], env=world.env,
        stdin=subprocess.DEVNULL, capture_output=True, check=False)
    tally.runs += 1
    if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        tally.hit["kill"] += 1
    elif done.returncode != 0:
        bad.append(f"strace or the run ended with {done.returncode}: {done.stderr[-500:]}")
    found, state = look(world, [], tally)
    if done.returncode == 0 and len(state.present()) != len(world.plan):
        bad.append("success without all migrations")
    return bad + found or heal(world, [], tally)


# ---- a daemon and its callers


def call(daemon, connection, world, disturbed):
    """POST /apply; None where the daemon died before it answered."""
    try:
        got = daemon.apply(timeout=TIMEOUT_S)
    except OSError:
        return None
    except http.client.HTTPException:
        return None
    good = got.status == 200
    claims = [m["id"] for m in got.json()["applied"]] if good else []
    return Answer(f"run {got.json()['id'] if good else '?'}", got.status, good, claims,
                  disturbed and got.status == 503, got.text[:500], world.state(connection) if good else None)


class Struck:
    """A daemon that a fault is aimed at, and what is known of it."""

    def __init__(self, world, points, rng):
        self.how = rng.choice(("place", "place", "time", "drop", "terminate"))
        env = dict(world.env)
        if self.how == "place":
            name, at = rng.choice(points)
            env["MIGRATIOND_FAILPOINT"] = f"{name}:{at}=kill"
        elif self.how == "drop":
            env["MIGRATIOND_FAILPOINT"] = f"*:{rng.randint(1, 2 * len(points))}=drop"
        self.daemon = Daemon(world.directory / "daemon", *world.args, "--refresh-interval", "1h", env=env)

    def strike(self, world, rng, tally):
        """The faults that come by the clock."""
        if self.how in ("time", "terminate"):
            time.sleep(rng.random() * RUN_S)  # the fault's own time
        if self.how == "terminate":
            tally.hit["terminate"] += world.terminate_one()
        elif self.how == "time" and self.daemon.running():
            self.daemon.signal(signal.SIGKILL)
            self.daemon.process.wait()

    def is_dead(self):
        """Killed, as planned: a child that has ended, but is not yet seen to have."""
        if self.how in ("place", "time") and self.daemon.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.daemon.process.wait(0.02) == -signal.SIGKILL
        return False

    def start_anew(self):
        """Another daemon in its place, which nothing strikes."""
        self.daemon.kill()
        self.daemon.env.pop("MIGRATIOND_FAILPOINT", None)
        self.how = "none"
        self.daemon.start()


def daemon_round(world, points, seed, tally):
    """A daemon with six callers, killed or cut off in the middle, another
    `--once` beside it at times; then a daemon must answer 200."""
    rng = random.Random(seed)
    bad, answers = begin(world), []
    struck = Struck(world, points, rng)
    daemon = struck.daemon
    try:
        with contextlib.suppress(RuntimeError, AssertionError):
            daemon.start()  # it may die before it answers
        connections = world.callers(CALLERS)
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
            asked = [pool.submit(call, daemon, connection, world, True) for connection in connections]
            beside = world.start(name="beside") if rng.random() < 0.3 else None
            struck.strike(world, rng, tally)
            answers += filter(None, (f.result() for f in asked))
        tally.runs += 1
        if beside:
            beside.faults.add("terminate")  # it may be its session
            told, bad_beside = finish(world, [beside], tally)
            answers, bad = answers + told, bad + bad_beside
        healed = None if struck.is_dead() else call(daemon, world.connection, world, struck.how == "drop")
        if struck.how == "drop":
            tally.hit["daemon drop"] += 1
            if healed and not healed.ok:  # it came as late as this, and comes no more
                answers.append(healed)
                healed = call(daemon, world.connection, world, False)
        if struck.is_dead():
            tally.hit["daemon kill"] += 1
            bad += world.settle() + check.of_state(world.plan, world.state(), world.loose)
            struck.start_anew()
            healed = call(daemon, world.connection, world, False)
        bad += ["the daemon did not answer"] if healed is None else []
        answers += filter(None, [healed])
        if struck.how in ("place", "time"):
            tally.missed += 1
            daemon.kill()  # the place may still lie ahead of it
        daemon.stop()
    finally:
        daemon.kill()
    found, _ = look(world, answers, tally)
    return bad + found or heal(world, [], tally)


def kind_of(mode, turn):
    """Which round comes next; of a mixed campaign one in ten has a daemon."""
    if mode == "mixed":
        mode = {0: "daemon", 5: "crowd"}.get(turn % 10, "once")
    return {"daemon": daemon_round, "crowd": crowd_round, "once": random_round}[mode]


# ---- planted violations


def planted():
    """(what is wrong, what the checker says of it); the first is what is right."""
    plan = ["a", "b", "c"]

    def state(markers="a1 b2 c3", rows="a1 b2 c3"):
        return State([(w[0], w[1:]) for w in markers.split()], [(w[0], w[1:], "") for w in rows.split()])

    def answer(code=0, claims="", disturbed=False, after=None, who="run 1"):
        return Answer(who, code, code == 0, claims.split(), disturbed, "", after)

    assert check.of_state(plan, state()) == check.of_state(plan, state("", "")) == []
    assert check.of_answers(plan, [answer(claims="a b"), answer(claims="a b"), answer(6, disturbed=True)], state()) == []
    assert check.of_end(plan, state(), {"x": 1}, {"x": 1}) == []
    yield "a migration executed twice", check.of_state(plan, state("a1 b2 b4 c3"))
    yield "a migration recorded twice", check.of_state(plan, state(rows="a1 b2 c3 c5"))
    yield "a migration without a row", check.of_state(plan, state(rows="a1 b2"))
    yield "a row without its migration", check.of_state(plan, state("a1 b2"))
    assert check.of_state(plan, state("a1 b2 c3", "a1 b4"), {"b", "c"}) == []
    yield "a row of another transaction", check.of_state(plan, state(rows="a1 b2 c4"))
    yield "a gap", check.of_state(plan, state("a1 c3", "a1 c3"))
    yield "a wrong order", check.of_state(plan, state("b1 a2", "b1 a2"))
    yield "a row of nobody", check.of_state(plan, state("a1 z2", "a1 z2"))
    yield "success that is none", check.of_answers(plan, [answer()], state("a1", "a1"))
    yield "success too early", check.of_answers(plan, [answer(after=state("a1", "a1"))], state())
    yield "a failure without a reason", check.of_answers(plan, [answer(5)], state())
    yield "a claim that is not true", check.of_answers(plan, [answer(6, "a b", True)], state("a1", "a1"))
    yield "two that claim the same", check.of_answers(plan, [answer(claims="a"), answer(claims="a", who="run 2")], state())
    yield "what is missing in the end", check.of_end(plan, state("a1", "a1"), {}, {})
    yield "a schema that differs", check.of_end(plan, state(), {"schema": "x"}, {"schema": "y"})

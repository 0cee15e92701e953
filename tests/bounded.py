"""Run a program within a time. What it has started ends with it."""
import os
import signal
import subprocess
import time
import uuid

PATIENCE_S = 10  # for killed processes to be gone


def run(command, seconds, env, cwd):
    """@return (status, what it said); the status is None if its time was up."""
    # Children inherit it, whatever session they are in and whoever of their parents has ended.
    mark = f"GAP_RUN_{uuid.uuid4().hex}"
    try:
        done = subprocess.run(command, cwd=cwd, env=dict(env, **{mark: "1"}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, check=False)
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = None, late.stdout or b""
    finally:
        end_marked(f"{mark}=1".encode())
    return status, output.decode("utf-8", "replace")


def end_marked(mark):
    """SIGKILL for every process with this in its environment, and for what it starts meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        pids = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if mark in environment_of(pid)]
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f.read().split(b"\0")
    except OSError:  # it has ended, or is somebody else's
        return []

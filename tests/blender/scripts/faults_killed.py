"""Blender is killed while the engine works; the test looks whether the engine has ended with it."""

import os
import sys

from support import begin, clear, enable, engine_process, fault, until

enable()
clear()
job = begin("Generate", fault("slow", 100_000))
until(lambda: job.call.results)
sys.stdout.write(f"engine {engine_process().pid}\n")
sys.stdout.flush()
os.kill(os.getpid(), int(sys.argv[-1]))

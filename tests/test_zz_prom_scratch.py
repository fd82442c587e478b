"""Scratch."""
import time
from tests.clinics import *
pytest_plugins = ("tests.clinics",)
def test_a(clinic, runs):
    for n in range(2):
        t=time.time(); r = runs.maintain(clinic, perform="never"); print(time.time()-t, r["ended"], r["steps"])
    t=time.time(); r = runs.maintain(clinic, perform="within_limits"); print(time.time()-t, r["ended"], r["steps"])
    t=time.time(); r = runs.maintain(clinic, perform="within_limits"); print(time.time()-t, r["ended"], r["steps"])
def test_b(clinic, tmp_path):
    e = clinic.equipment()
    t=time.time(); n = rehearse_at(e, tmp_path); print(time.time()-t)
    print(n.rehearsed.verdict.failed, n.rehearsed.plan.by_action())
    t=time.time(); n = perform_at(e, tmp_path, n); print(time.time()-t)

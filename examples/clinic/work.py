"""An ordinary day: people sign in, patients are registered, queue, are seen and pay."""

from datetime import date, datetime, timedelta
from random import Random

from examples.clinic.application import Application
from examples.clinic.founding import House, hire
from examples.clinic.names import invent
from examples.clinic.visit import attend

VISITS_A_DAY = 5
NEW_PATIENTS_A_DAY = 2
SIGN_INS_A_DAY = 3
DEVICES = ("reception-pc", "tablet", "ward-terminal", "telephone")


def work(app: Application, rng: Random, house: House, morning: datetime, scale: int) -> None:
    """One day of the clinic, from the first sign-in to the last payment."""
    app.clock.move(morning)
    refresh(app, house)
    if morning.weekday() == 0:
        newcomer(app, rng, house)
    for _ in range(SIGN_INS_A_DAY * scale):
        sign_in(app, rng, rng.choice(app.ids("users")))
    for _ in range(NEW_PATIENTS_A_DAY * scale):
        register(app, rng, house)
    queues = [open_queue(app, rng, house, morning) for _ in range(1 + scale)]
    patients = app.ids("patients")
    apart = timedelta(hours=9) / (VISITS_A_DAY * scale)
    for turn in range(VISITS_A_DAY * scale):
        app.clock.move(morning + timedelta(hours=1) + apart * turn)
        attend(app, rng, house, rng.choice(patients), rng.choice(queues))


def refresh(app: Application, house: House) -> None:
    """Forget colleagues who are gone."""
    users, doctors = set(app.ids("users")), set(app.ids("doctors"))
    house.staff = {role: [user for user in people if user in users] for role, people in house.staff.items()}
    house.doctors = [doctor for doctor in house.doctors if doctor in doctors]


def newcomer(app: Application, rng: Random, house: House) -> None:
    """Somebody begins to work at the desk."""
    house.staff["reception"].append(hire(app, rng, house, "reception"))


def sign_in(app: Application, rng: Random, user: int) -> int:
    """Open a session with one or two tokens; returns the session."""
    session = app.write("user_sessions", user_id=user, device=rng.choice(DEVICES), created_at=app.stamp())
    for _ in range(rng.choice((1, 1, 2))):
        app.write(
            "refresh_tokens",
            session_id=session,
            token_hash=f"{rng.getrandbits(128):032x}",
            expires_at=app.stamp(),
        )
    return session


def register(app: Application, rng: Random, house: House) -> int:
    """Write down a new patient with a folder of their own; returns the patient."""
    name, address, phone = invent(rng, len(app.planted) + 1)
    born = date(1935, 1, 1) + timedelta(days=rng.randrange(31_000))
    clerk = rng.choice(house.staff["reception"])
    patient = app.write(
        "patients",
        full_name=name,
        birth_date=born.isoformat(),
        phone=phone,
        email=address if rng.random() < 0.8 else None,
        primary_doctor_id=rng.choice(house.doctors) if rng.random() < 0.7 else None,
        created_by=clerk,
        created_at=app.stamp(),
    )
    if rng.random() < 0.5:
        above = app.write("folders", owner_id=clerk, patient_id=patient, name="Documents")
        app.write("folders", parent_id=above, owner_id=clerk, patient_id=patient, name="Letters")
    return patient


def open_queue(app: Application, rng: Random, house: House, morning: datetime) -> int:
    """Open the queue of a department for the day."""
    return app.write(
        "daily_queues",
        department_id=rng.choice(house.departments),
        opened_by=rng.choice(house.staff["reception"]),
        day=morning.date().isoformat(),
    )

"""One visit from the appointment to the payment, with everything that is written on the way."""

from random import Random

from examples.clinic.application import Application
from examples.clinic.founding import House

COMPLAINTS = ("cough", "back pain", "a rash", "tired", "fever since yesterday", "check-up", "dizzy in the morning")
DIAGNOSES = ("J06.9", "M54.5", "L30.9", "R53", "R50.9", "Z00.0", "R42")
DRUGS = ("Paracetamol", "Ibuprofen", "Amoxicillin", "Cetirizine", "Omeprazole")
TESTS = ("Blood count", "Glucose", "Creatinine", "TSH", "CRP")


def attend(app: Application, rng: Random, house: House, patient: int, queue: int) -> int:
    """Take a patient through the clinic; returns the visit."""
    doctor = rng.choice(house.doctors)
    clerk = rng.choice(house.staff["reception"])
    appointment = book(app, rng, house, patient, doctor, clerk) if rng.random() < 0.75 else None
    visit = app.write(
        "visits",
        appointment_id=appointment,
        patient_id=patient,
        doctor_id=doctor,
        referred_by=rng.choice(house.doctors) if rng.random() < 0.3 else None,
        created_by=clerk,
        started_at=app.stamp(),
        complaint=rng.choice(COMPLAINTS),
    )
    wait(app, rng, patient, visit, queue, clerk)
    total = treat(app, rng, house, visit, doctor)
    record(app, rng, house, visit, patient, doctor)
    if rng.random() < 0.5:
        examine(app, rng, house, visit, patient)
    if rng.random() < 0.45:
        upload(app, rng, house, visit, patient)
    if rng.random() < 0.85:
        pay(app, rng, house, visit, patient, total)
    log(app, clerk, "visits", visit, "create")
    return visit


def log(app: Application, user: int, table: str, number: int, action: str) -> None:
    """Write down who did what."""
    app.write("audit_log", user_id=user, entity_type=table, entity_id=number, action=action, happened_at=app.stamp())


def book(app: Application, rng: Random, house: House, patient: int, doctor: int, clerk: int) -> int:
    """Make the appointment that the visit comes from."""
    return app.write(
        "appointments",
        patient_id=patient,
        doctor_id=doctor,
        service_id=rng.choice(house.services)[0],
        created_by=clerk,
        scheduled_at=app.stamp(),
        status="kept",
    )


def wait(app: Application, rng: Random, patient: int, visit: int, queue: int, clerk: int) -> None:
    """Take a place in the queue and a slip with its number."""
    number = rng.randrange(1, 100)
    entry = app.write("queue_entries", queue_id=queue, patient_id=patient, visit_id=visit, number=number)
    app.write("queue_tokens", entry_id=entry, issued_by=clerk, code=f"A{number:03d}", issued_at=app.stamp())


def treat(app: Application, rng: Random, house: House, visit: int, doctor: int) -> float:
    """Give one or two services; returns what they cost."""
    total = 0.0
    for service, price in rng.sample(house.services, rng.choice((1, 1, 2))):
        app.write("visit_services", visit_id=visit, service_id=service, performed_by=doctor, quantity=1, price=price)
        total += price
    return total


def record(app: Application, rng: Random, house: House, visit: int, patient: int, doctor: int) -> None:
    """Write the medical record, perhaps correct it, perhaps prescribe."""
    author = rng.choice(house.staff["doctor"])
    diagnosis = rng.choice(DIAGNOSES)
    emr = app.write(
        "emr", visit_id=visit, patient_id=patient, author_id=author, diagnosis=diagnosis, created_at=app.stamp()
    )
    version = None
    for text in ("first note", "corrected note")[: rng.choice((1, 1, 2))]:
        version = app.write(
            "emr_versions",
            emr_id=emr,
            previous_id=version,
            changed_by=rng.choice(house.staff["nurse"]),
            body=f"{text}: {diagnosis}",
            created_at=app.stamp(),
        )
    app.point("emr", emr, "current_version_id", version)
    if rng.random() < 0.6:
        drug = rng.choice(DRUGS)
        app.write("prescriptions", emr_id=emr, patient_id=patient, prescribed_by=doctor, drug=drug, dose="1-0-1")


def examine(app: Application, rng: Random, house: House, visit: int, patient: int) -> None:
    """Ask the laboratory and write down what it found."""
    order = app.write(
        "lab_orders",
        visit_id=visit,
        patient_id=patient,
        ordered_by=rng.choice(house.doctors),
        test=rng.choice(TESTS),
        ordered_at=app.stamp(),
    )
    app.write(
        "lab_results",
        order_id=order,
        verified_by=rng.choice(house.staff["laboratory"]),
        reading=f"{rng.randrange(1, 200) / 10}",
        unit="mmol/l",
        measured_at=app.stamp(),
    )


def upload(app: Application, rng: Random, house: House, visit: int, patient: int) -> int:
    """Scan a document, share it with a colleague and note who looked; returns the file."""
    nurse, colleague = rng.sample(house.staff["nurse"], 2)
    folders = app.ids("folders")
    file = app.write(
        "files",
        folder_id=rng.choice(folders) if folders else None,
        patient_id=patient,
        visit_id=visit,
        uploaded_by=nurse,
        name=f"scan-{visit:06d}.pdf",
        size=rng.randrange(10_000, 900_000),
    )
    for number in range(1, rng.choice((2, 2, 3))):
        digest = f"{rng.getrandbits(256):064x}"
        app.write("file_versions", file_id=file, created_by=nurse, number=number, sha256=digest, created_at=app.stamp())
    if rng.random() < 0.6:
        app.write("file_shares", file_id=file, shared_with=colleague, shared_by=nurse)
    app.write("file_access_logs", file_id=file, user_id=colleague, action="view", seen_at=app.stamp())
    return file


def pay(app: Application, rng: Random, house: House, visit: int, patient: int, total: float) -> int:
    """Take the money at the desk or online; returns the payment."""
    house.receipts += 1
    payment = app.write(
        "payments",
        receipt_number=f"R-{house.receipts:07d}",
        patient_id=patient,
        cashier_id=rng.choice(house.staff["cashier"]),
        amount=total,
        currency="EUR",
        paid_at=app.stamp(),
    )
    app.write("payment_visits", payment_id=payment, visit_id=visit, amount=total)
    if rng.random() < 0.5:
        event = f'{{"event": "paid", "reference": "R-{house.receipts:07d}"}}'
        hook = app.write("payment_webhooks", payment_id=payment, event="paid", payload=event, received_at=app.stamp())
        app.write("payment_transactions", payment_id=payment, webhook_id=hook, amount=total, status="settled")
    return payment

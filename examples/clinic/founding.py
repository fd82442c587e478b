"""The first day: departments, roles, staff and services; whoever is needed before a patient can come."""

from dataclasses import dataclass, field
from random import Random

from examples.clinic.application import Application
from examples.clinic.names import invent

DEPARTMENTS = ("Clinic", "General practice", "Cardiology", "Dermatology", "Laboratory", "Radiology", "Paediatrics")
ROLES = ("administrator", "reception", "nurse", "doctor", "laboratory", "cashier", "trainee")
PERMISSIONS = ("patients.read", "patients.write", "emr.read", "emr.write", "files.read", "files.share", "payments.take")
SERVICES = (
    ("Consultation", 45.0),
    ("Follow-up", 30.0),
    ("Electrocardiogram", 60.5),
    ("Blood sample", 15.0),
    ("Ultrasound", 95.0),
    ("Vaccination", 25.0),
    ("Dressing", 18.75),
    ("Minor surgery", 220.0),
    ("Skin check", 55.0),
    ("Chest X-ray", 80.0),
)
USERS_FOR_EACH_ROLE = {"administrator": 3, "reception": 10, "nurse": 12, "laboratory": 6, "cashier": 4, "doctor": 13}
DOCTORS = 16


@dataclass
class House:
    """What everybody in the clinic knows by heart: who works here and what is on offer."""

    departments: list[int] = field(default_factory=list)
    roles: dict[str, int] = field(default_factory=dict)
    staff: dict[str, list[int]] = field(default_factory=dict)
    doctors: list[int] = field(default_factory=list)
    services: list[tuple[int, float]] = field(default_factory=list)
    receipts: int = 0


def found(app: Application, rng: Random, scale: int) -> House:
    """Write the first rows and return what they are."""
    house = House()
    for name in DEPARTMENTS:
        above = house.departments[0] if house.departments else None
        house.departments.append(app.write("departments", name=name, parent_id=above))
    for name in ROLES:
        house.roles[name] = app.write("roles", name=name)
    for code in PERMISSIONS:
        permission = app.write("permissions", code=code)
        for number in rng.sample(sorted(house.roles.values()), 3):
            app.write("role_permissions", role_id=number, permission_id=permission)
    for name, price in SERVICES:
        department = rng.choice(house.departments)
        house.services.append((app.write("services", name=name, price=price, department_id=department), price))
    for role, many in USERS_FOR_EACH_ROLE.items():
        house.staff[role] = [hire(app, rng, house, role) for _ in range(many * scale)]
    appoint_doctors(app, rng, house, scale)
    return house


def hire(app: Application, rng: Random, house: House, role: str) -> int:
    """Give somebody an account and a role."""
    number = len(app.planted) + 1
    name, address, _ = invent(rng, number)
    administrators = house.staff.get("administrator")
    boss = rng.choice(administrators) if administrators else None
    user = app.write(
        "users",
        username=address.partition("@")[0],
        email=address.replace("@mail.", "@clinic."),
        full_name=name,
        password_hash=f"$argon2id$fake${rng.getrandbits(96):024x}",
        is_active=True,
        department_id=rng.choice(house.departments),
        created_by=boss,
        created_at=app.stamp(),
    )
    app.write("user_roles", user_id=user, role_id=house.roles[role], granted_by=boss)
    return user


def appoint_doctors(app: Application, rng: Random, house: House, scale: int) -> None:
    """Doctors keep the numbers of the old staff register; accounts of people who come later overlap them."""
    accounts = house.staff["doctor"]
    first = len(app.ids("users")) + 1
    for index in range(DOCTORS * scale):
        name, _, _ = invent(rng, index)
        doctor = app.write(
            "doctors",
            id=first + index,
            user_id=accounts[index] if index < len(accounts) else None,
            department_id=rng.choice(house.departments),
            full_name=f"Dr {name}",
            licence=f"LIC-{first + index:05d}-{rng.randrange(10**6):06d}",
        )
        house.doctors.append(doctor)

"""Django: introspection, migrations and the ORM. Prints one line per observation; connects by PG* variables."""
import io
import json
import os
import sys

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "OPTIONS": {"options": "-c search_path=shop,crm,public"},
    }},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.utils import ProgrammingError


class Item(models.Model):
    name = models.TextField()
    price = models.DecimalField(max_digits=10, decimal_places=2)
    data = models.JSONField(null=True)
    uid = models.UUIDField(null=True)

    class Meta:
        app_label = "auth"
        managed = False
        db_table = "items"


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def session():
    out = io.StringIO()
    call_command("inspectdb", "items", "sales", "cheap", stdout=out, include_views=True)
    show("inspectdb", [line for line in out.getvalue().splitlines() if "=" in line or "class" in line])
    with connection.cursor() as cursor:
        tables = connection.introspection.get_table_list(cursor)
        show("tables", sorted(t.name for t in tables))
        show("constraints", connection.introspection.get_constraints(cursor, "sales"))
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import Group, User
    with connection.cursor() as cursor:
        show("migrated", sorted(t.name for t in connection.introspection.get_table_list(cursor)))
    user = User.objects.create_user("ann", password="secret")
    user.groups.add(Group.objects.create(name="team"))
    show("orm", list(User.objects.filter(groups__name="team").values_list("username", flat=True)))
    show("items", [str(v) for v in Item.objects.filter(data__n__lte=3).order_by("id").values_list("name", "price", "uid")])
    show("aggregate", {k: str(v) for k, v in Item.objects.aggregate(models.Sum("price"), models.Count("id")).items()})
    try:
        with transaction.atomic():
            Item.objects.create(id=1, name="again", price=1)
    except IntegrityError as error:
        show("conflict", str(error))
    with transaction.atomic():
        try:
            with transaction.atomic():
                Item.objects.filter(id=1).update(price=-1)
        except IntegrityError as error:
            show("check", str(error))
        show("recovered", Item.objects.count())
    show("iterated", [i.id for i in Item.objects.order_by("id").iterator(chunk_size=7)])
    call_command("migrate", "auth", "zero", verbosity=0)
    call_command("migrate", "contenttypes", "zero", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_migrations")


def masked():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM crm.people ORDER BY id")
        rows = cursor.fetchall()
    show("types", [[type(v).__name__ for v in r] for r in rows])
    show("kept", [[r[0], r[-1]] for r in rows])


def ruled():
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("DELETE FROM shop.sales")
        except ProgrammingError as error:
            show("refused", error.__cause__.pgcode)
        show("recovered", Item.objects.count())


{"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]()

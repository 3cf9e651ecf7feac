"""Django over mysqlclient: introspection, migrations and the ORM. One line per observation; connects by MY* variables."""
import io
import json
import os

import django
from django.conf import settings

ca = os.environ.get("MYCA")
settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ["MYDATABASE"],
        "USER": os.environ["MYUSER"],
        "PASSWORD": os.environ["MYPASSWORD"],
        "HOST": os.environ["MYHOST"],
        "PORT": os.environ["MYPORT"],
        "OPTIONS": {"charset": "utf8mb4", **({"ssl": {"ca": ca}} if ca else {})},
    }},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SILENCED_SYSTEM_CHECKS=["mysql.W002"],
    USE_TZ=False,
)
django.setup()

from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, Sum
from django.db.utils import ProgrammingError


class Item(models.Model):
    name = models.CharField(max_length=40)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    data = models.JSONField(null=True)
    day = models.DateField(null=True)

    class Meta:
        app_label = "auth"
        managed = False
        db_table = "items"


class Sale(models.Model):
    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    quantity = models.SmallIntegerField()

    class Meta:
        app_label = "auth"
        managed = False
        db_table = "sales"


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


def session():
    out = io.StringIO()
    call_command("inspectdb", "items", "sales", stdout=out)
    show("inspectdb", [line for line in out.getvalue().splitlines() if "=" in line or "class" in line])
    with connection.cursor() as cursor:
        show("tables", sorted(t.name for t in connection.introspection.get_table_list(cursor)))
        show("constraints", connection.introspection.get_constraints(cursor, "sales"))
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import Group, User
    user = User.objects.create_user("ann", password="secret")
    user.groups.add(Group.objects.create(name="team"))
    show("joined", list(User.objects.filter(groups__name="team").values_list("username", flat=True)))
    show("items", list(Item.objects.order_by("id").values_list("name", "price", "data", "day")))
    show("json", list(Item.objects.filter(data__n=1).values_list("name", flat=True)))
    show("years", list(Item.objects.filter(day__year=2024).values_list("day", flat=True)))
    sold = Item.objects.annotate(n=Count("sale"), q=Sum("sale__quantity")).order_by("id")
    show("sold", list(sold.values_list("name", "n", "q")))
    show("prefetched", [[i.name, i.sale_set.count()] for i in Item.objects.prefetch_related("sale_set").order_by("id")])
    try:
        with transaction.atomic():
            Item.objects.create(id=10, name="kept?", price="9.99")
            Sale.objects.create(item_id=99, quantity=1)
    except IntegrityError as error:
        show("integrity", error.args)
    show("undone", Item.objects.filter(id=10).exists())
    with transaction.atomic():
        Item.objects.create(id=11, name="kept", price="1.50", data={"a": [1, None]})
        try:
            with transaction.atomic():
                Item.objects.create(id=12, name="kept", price="1")
        except IntegrityError as error:
            show("unique", error.args)
        Item.objects.filter(id=11).update(price=models.F("price") * 2)
    show("kept", list(Item.objects.filter(id__gte=10).values_list("id", "price", "data")))
    with transaction.atomic():
        show("locked", Item.objects.select_for_update().get(id=11).name)
    Sale.objects.bulk_create([Sale(item_id=11, quantity=n) for n in range(1, 200)])
    show("bulk", Sale.objects.filter(item_id=11).aggregate(Sum("quantity"), Count("id")))
    show("iterated", sum(sale.quantity for sale in Sale.objects.iterator(chunk_size=10)))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nope FROM items")
    except (ProgrammingError, django.db.utils.OperationalError) as error:
        show("undefined", error.args)
    Item.objects.filter(id=11).delete()
    show("deleted", Sale.objects.count())


session()

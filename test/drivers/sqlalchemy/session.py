"""SQLAlchemy over psycopg2: reflection, Core and ORM. Prints one line per observation; connects by PG* variables."""
import json
import sys

import sqlalchemy as sa
from sqlalchemy import orm


def show(name, value):
    print(f"{name}: {json.dumps(value, default=str, sort_keys=True)}", flush=True)


engine = sa.create_engine("postgresql+psycopg2://", pool_size=2)


def session():
    inspector = sa.inspect(engine)
    show("schemas", inspector.get_schema_names())
    show("tables", [inspector.get_table_names("shop"), inspector.get_view_names("shop")])
    for table in ("items", "sales"):
        show(f"{table} columns", [{k: str(v) for k, v in c.items()} for c in inspector.get_columns(table, "shop")])
        show(f"{table} keys", [inspector.get_pk_constraint(table, "shop"), inspector.get_foreign_keys(table, "shop")])
        show(f"{table} more", [inspector.get_indexes(table, "shop"), inspector.get_unique_constraints(table, "shop"),
                               inspector.get_check_constraints(table, "shop"), inspector.get_table_comment(table, "shop")])
    show("enums", inspector.get_enums("shop"))
    show("view", inspector.get_view_definition("cheap", "shop"))
    metadata = sa.MetaData(schema="shop")
    metadata.reflect(engine, views=True)
    show("reflected", sorted(metadata.tables))
    base = orm.declarative_base(metadata=metadata)

    class Item(base):
        __table__ = metadata.tables["shop.items"]

    class Sale(base):
        __table__ = metadata.tables["shop.sales"]
        item = orm.relationship(Item, backref="sales")

    with orm.Session(engine) as db:
        first = db.get(Item, 1)
        show("related", [first.name, len(first.sales)])
        first.price = 99
        db.add(Sale(item_id=2, quantity=3))
        db.flush()
        db.commit()
        show("changed", str(db.get(Item, 1).price))
        try:
            db.execute(sa.insert(Item).values(id=1, name="again", price=1))
        except sa.exc.IntegrityError as error:
            show("conflict", [error.orig.pgcode, error.orig.diag.constraint_name])
            db.rollback()
        with db.begin_nested():
            db.execute(sa.delete(Sale).where(Sale.quantity == 1))
        show("joined", [list(map(str, r)) for r in db.execute(
            sa.select(Item.name, sa.func.sum(Sale.quantity)).join(Sale).group_by(Item.name).order_by(Item.name).limit(5))])
        db.rollback()
        streamed = db.execute(sa.select(Item.id).order_by(Item.id).execution_options(yield_per=10))
        show("streamed", [r.id for r in streamed])
    other = sa.Table("made", sa.MetaData(schema="shop"), sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", sa.DateTime))
    other.create(engine)
    show("created", sa.inspect(engine).has_table("made", schema="shop"))
    other.drop(engine)


def masked():
    with engine.connect() as conn:
        people = sa.Table("people", sa.MetaData(), schema="crm", autoload_with=conn)
        rows = conn.execute(sa.select(people).order_by(people.c.id)).fetchall()
        show("types", [[type(v).__name__ for v in r] for r in rows])
        show("kept", [[r.id, r.note] for r in rows])


def ruled():
    with engine.connect() as conn:
        with conn.begin_nested() as point:
            try:
                conn.execute(sa.text("DELETE FROM shop.sales"))
            except sa.exc.ProgrammingError as error:
                show("refused", error.orig.pgcode)
                point.rollback()
        show("recovered", conn.execute(sa.text("SELECT count(*) FROM shop.sales")).scalar())


{"session": session, "masked": masked, "ruled": ruled}[sys.argv[1]]()

import pytest
from tests.test_plans import _walk, _analysed, faults, finds, keep, plans, much, grow, parts, MANY
from models import database
def test_x(walk):
    few, many = walk(True)
    open("/tmp/sq.out","w").write(f"{len(few)} {len(many)}\n"+faults(few,many)+"\nunused:"+str({why for text, why in plans.MANY.items() if not any(plans.excused(sql) == why for sql in few)}))
@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_pg(app, walk, monkeypatch):
    for name in plans.GROWING & set(database.obj.get_tables()):
        database.execute_sql(f'ALTER TABLE "{name}" SET (autovacuum_enabled = off)')
    first={}
    few, _ = walk(False, first)
    grow()
    open("/tmp/pg1.out","w").write(much(first))
    monkeypatch.setattr(parts, "LEAST", MANY // 2)
    keep()
    open("/tmp/pg2.out","w").write(much(few))

# A scheduling platform in Python, with SQLAlchemy. usage: python3 python_sqlalchemy.py /var/lib/usher/usher.db
import sys, time
from sqlalchemy import BigInteger, Column, Integer, String, create_engine, event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, declarative_base

engine = create_engine("sqlite:///" + sys.argv[1], connect_args={"timeout": 5}, future=True)  # waits 5 s for locks


@event.listens_for(engine, "connect")
def no_begin_of_the_driver(connection, _):
    connection.isolation_level = None


@event.listens_for(engine, "begin")
def begin_immediate(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")


Base = declarative_base()  # tell alembic's autogenerate to leave these tables alone (include_object)


class Meeting(Base):
    __tablename__ = "meeting"
    id = Column(String, primary_key=True)
    title = Column(String)
    starts_at, ends_at = Column(BigInteger), Column(BigInteger)  # whole Unix seconds, UTC
    status = Column(String, default="scheduled")


class Participant(Base):
    __tablename__ = "participant"
    id = Column(Integer, primary_key=True)  # a key without meaning; the person is participant_id
    meeting_id, participant_id, role = Column(String), Column(String), Column(String)


def ask(sql, **values):
    with engine.begin() as connection:
        result = connection.execute(text(sql), values)
        return result.all() if result.returns_rows else []


def wait(sql, **values):
    for _ in range(1200):
        if rows := ask(sql, **values):
            return rows[0]
        time.sleep(0.05)
    sys.exit(f"nothing came: {ask('SELECT * FROM usher_status')}")


starts_at = int(time.time()) + 600
try:
    with Session(engine) as session, session.begin():
        session.add(Meeting(id="alchemy-0", title="", starts_at=starts_at * 1000, ends_at=starts_at))
except IntegrityError as error:
    print("refused:", error.orig)

seen = ask("SELECT COALESCE(max(seq), 0) FROM meeting_status")[0][0]  # 64 bits
with Session(engine) as session, session.begin():
    session.query(Participant).filter_by(meeting_id="alchemy-1").delete()
    session.execute(text("DELETE FROM block WHERE meeting_id = 'alchemy-1'"))
    session.merge(Meeting(id="alchemy-1", title="Stand-up", starts_at=starts_at, ends_at=starts_at + 900,
                          status="scheduled"))
    session.add_all([Participant(meeting_id="alchemy-1", participant_id="7", role="publisher"),
                     Participant(meeting_id="alchemy-1", participant_id="bob", role="subscriber")])
credential = """SELECT project_key, session_id, token FROM join_credential
                 WHERE meeting_id = 'alchemy-1' AND participant_id = :person"""
print("credential:", *wait(credential, person="7"))

with Session(engine) as session, session.begin():
    person = session.scalar(select(Participant).filter_by(meeting_id="alchemy-1", participant_id="7"))
    person.role = "moderator"
wait(credential + " AND role = 'moderator'", person="7")
print("role: moderator")

ask("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('alchemy-1', 'bob', 'asked to leave')")
print("blocked:", *ask(credential, person="bob") or ["none"])

ask("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'alchemy-1', 'sqlalchemy')")
request = ask("SELECT max(id) FROM request WHERE meeting_id = 'alchemy-1'")[0][0]
print("request:", *wait("SELECT state FROM request_status WHERE id = :id AND state IN ('done', 'refused')", id=request))

for id, state, seq in ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > :seen ORDER BY seq", seen=seen):
    if id == "alchemy-1":
        print("changed:", id, state, seq)

ask("UPDATE meeting SET status = 'cancelled' WHERE id = 'alchemy-1'")
print("cancelled:", *ask(credential, person="7") or ["none"])

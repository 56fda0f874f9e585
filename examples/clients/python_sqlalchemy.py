# A scheduling platform in Python, with SQLAlchemy. usage: python3 python_sqlalchemy.py /var/lib/usher/usher.db
import sys, time
from sqlalchemy import BigInteger, Column, Integer, String, create_engine, event, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, declarative_base

engine = create_engine("sqlite:///" + sys.argv[1], future=True,  # waits 5 s for locks; no BEGIN of the driver's
                       connect_args={"timeout": 5, "isolation_level": None})
reader = engine.execution_options(reads=True)


@event.listens_for(engine, "begin")
def begin(connection):  # who reads alone does not wait for those who write
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


Base = declarative_base()  # tell alembic's autogenerate to leave these tables alone (include_object)


class Meeting(Base):
    __tablename__ = "meeting"
    id = Column(String, primary_key=True)
    starts_at, ends_at = Column(BigInteger), Column(BigInteger)  # whole Unix seconds, UTC
    status = Column(String, default="scheduled")


class Participant(Base):
    __tablename__ = "participant"
    id = Column(Integer, primary_key=True)  # a key without meaning; the person is participant_id
    meeting_id, participant_id, role = Column(String), Column(String), Column(String)


def ask(sql, **values):
    with reader.connect() as connection:
        return connection.execute(text(sql), values).all()


def wait(sql, **values):
    for _ in range(1200):
        if rows := ask(sql, **values):
            return rows[0]
        time.sleep(0.05)
    sys.exit(f"nothing came: {ask('SELECT * FROM usher_status')}")


starts_at = int(time.time()) + 600
try:
    with Session(engine) as session, session.begin():
        session.add(Meeting(id="alchemy-0", starts_at=starts_at * 1000, ends_at=starts_at))
except IntegrityError as error:
    print("refused:", error.orig)

seen = ask("SELECT COALESCE(max(seq), 0) FROM meeting_status")[0][0]  # 64 bits
with Session(engine) as session, session.begin():
    session.merge(Meeting(id="alchemy-1", starts_at=starts_at, ends_at=starts_at + 900, status="scheduled"))
    for name, role in (("7", "publisher"), ("bob", "subscriber")):
        session.execute(insert(Participant).values(meeting_id="alchemy-1", participant_id=name, role=role)
                        .on_conflict_do_update(index_elements=["meeting_id", "participant_id"], set_={"role": role}))
    session.execute(text("DELETE FROM block WHERE meeting_id = 'alchemy-1'"))
credential = """SELECT project_key, session_id, token FROM join_credential
                 WHERE meeting_id = 'alchemy-1' AND participant_id = :person"""
print("credential:", *wait(credential, person="7"))

with Session(engine) as session, session.begin():
    session.scalar(select(Participant).filter_by(meeting_id="alchemy-1", participant_id="7")).role = "moderator"
wait(credential + " AND role = 'moderator'", person="7")
print("role: moderator")

with engine.begin() as connection:
    connection.execute(text("INSERT INTO block (meeting_id, participant_id) VALUES ('alchemy-1', 'bob')"))
    filed = connection.execute(text("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'alchemy-1')"))
print("blocked:", *ask(credential, person="bob") or ["none"])
print("request:", *wait("SELECT state FROM request_status WHERE id = :id AND done_at IS NOT NULL", id=filed.lastrowid))

for row in ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > :seen ORDER BY seq", seen=seen):
    print("changed:", *row)
with Session(engine) as session, session.begin():
    session.get(Meeting, "alchemy-1").status = "cancelled"
print("cancelled:", *ask(credential, person="7") or ["none"])

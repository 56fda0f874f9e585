# A scheduling platform in Python, with the sqlite3 module. usage: python3 python_sqlite3.py /var/lib/usher/usher.db
import sqlite3, sys, time

db = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)  # waits 5 s for locks; we say BEGIN ourselves
meeting, starts_at = "python-1", int(time.time()) + 600  # whole Unix seconds, UTC


def write(*statements):  # IMMEDIATE: a transaction that reads first and writes then would fail beside other writers
    db.execute("BEGIN IMMEDIATE")
    try:
        for sql, values in statements:
            cursor = db.execute(sql, values)
        db.execute("COMMIT")
        return cursor.lastrowid
    except BaseException:
        db.execute("ROLLBACK")
        raise


def wait(sql, values, seconds=60):
    until = time.monotonic() + seconds
    while (row := db.execute(sql, values).fetchone()) is None:
        if time.monotonic() > until:
            sys.exit("nothing came: " + str(db.execute("SELECT * FROM usher_status").fetchone()))
        time.sleep(0.05)
    return row


def person(name, role):  # the platform's own name for a person; ids are text, also when they look like numbers
    return ("""INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
               ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role""", (meeting, name, role))


try:
    write(("INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)", (meeting, starts_at * 1000, starts_at)))
except sqlite3.IntegrityError as error:
    print("refused:", error)

seen = db.execute("SELECT COALESCE(max(seq), 0) FROM meeting_status").fetchone()[0]  # 64 bits
write(("""INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at,
          status = 'scheduled'""", (meeting, "Stand-up", starts_at, starts_at + 900)),
      ("DELETE FROM block WHERE meeting_id = ?", (meeting,)), person("7", "publisher"), person("bob", "subscriber"))
credential = "SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = ? AND participant_id = ?"
print("credential:", *wait(credential, (meeting, "7")))

write(person("7", "moderator"))
wait(credential + " AND role = 'moderator'", (meeting, "7"))
print("role: moderator")

write(("INSERT INTO block (meeting_id, participant_id, reason) VALUES (?, ?, ?)", (meeting, "bob", "asked to leave")))
print("blocked:", db.execute(credential, (meeting, "bob")).fetchone())

request = write(("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', ?, 'python')", (meeting,)))
print("request:", *wait("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", (request,)))

changes = "SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq"
for id, state, seq in db.execute(changes, (seen,)):
    print("changed:", id, state, seq)

write(("UPDATE meeting SET status = 'cancelled' WHERE id = ?", (meeting,)))
print("cancelled:", db.execute(credential, (meeting, "7")).fetchone())

# What a scheduling platform does, in Python: one write, one read. usage: python3 platform.py /var/lib/usher/usher.db
import sqlite3, sys, time

db = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
starts_at = int(time.time()) + 600  # whole Unix seconds, UTC

db.execute("BEGIN IMMEDIATE")
db.execute("""INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?)
              ON CONFLICT (id) DO UPDATE SET title = excluded.title, starts_at = excluded.starts_at,
              ends_at = excluded.ends_at""", ("py-1", "Stand-up", starts_at, starts_at + 900))
db.execute("""INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
              ON CONFLICT (meeting_id, id) DO UPDATE SET role = excluded.role""", ("py-1", "speaker-1", "moderator"))
db.execute("COMMIT")

# At the door. No row: not ready yet, cancelled or over; the view meeting_status says which.
print(db.execute("""SELECT project_key, session_id, token FROM join_credential
                    WHERE meeting_id = ? AND participant_id = ?""", ("py-1", "speaker-1")).fetchone())

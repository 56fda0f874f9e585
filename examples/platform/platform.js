// What a scheduling platform does, in Node with better-sqlite3: one write, one read.
// usage: node platform.js /var/lib/usher/usher.db
const db = require('better-sqlite3')(process.argv[2], { timeout: 5000 });
const startsAt = Math.floor(Date.now() / 1000) + 600; // whole Unix seconds, UTC

const write = db.transaction(() => {
  db.prepare(`INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?)
              ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at`)
    .run('node-1', 'Stand-up', startsAt, startsAt + 900); // ids are strings: the number 42 would become '42.0'
  db.prepare(`INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
              ON CONFLICT (meeting_id, id) DO UPDATE SET role = excluded.role`)
    .run('node-1', 'speaker-1', 'moderator');
});
write.immediate();

// At the door. Nothing: not ready yet, cancelled or over; the view meeting_status says which.
console.log(db.prepare(`SELECT project_key, session_id, token FROM join_credential
                        WHERE meeting_id = ? AND participant_id = ?`).get('node-1', 'speaker-1'));

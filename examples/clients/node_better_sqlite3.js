// A scheduling platform in Node, with better-sqlite3. usage: node node_better_sqlite3.js /var/lib/usher/usher.db
const db = require('better-sqlite3')(process.argv[2], { timeout: 5000 }); // waits 5 s for locks
const meeting = 'node-1';
const startsAt = Math.floor(Date.now() / 1000) + 600; // whole Unix seconds, UTC

// IMMEDIATE: a transaction that reads first and writes then would fail beside other writers.
const write = (work) => db.transaction(work).immediate();
const run = (sql, ...values) => db.prepare(sql).run(...values);
const one = (sql, ...values) => db.prepare(sql).get(...values);
const person = (name, role) => // a number would be bound as a float, and is refused: ids are strings
  run(`INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
       ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role`, meeting, name, role);
async function wait(sql, ...values) {
  for (let tries = 0; tries < 1200; ++tries) {
    const row = one(sql, ...values);
    if (row) return row;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing came: ${JSON.stringify(one('SELECT * FROM usher_status'))}`);
}

async function main() {
  try {
    run('INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)', meeting, startsAt * 1000, startsAt);
  } catch (error) {
    console.log(`refused: ${error.message}`);
  }

  // seq takes 64 bits, more than a number holds exactly: read it as a BigInt.
  const all = (sql, ...values) => db.prepare(sql).safeIntegers().all(...values);
  const [{ seen }] = all('SELECT COALESCE(max(seq), 0) AS seen FROM meeting_status');
  write(() => {
    run(`INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
         starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'`,
    meeting, 'Stand-up', startsAt, startsAt + 900);
    run('DELETE FROM block WHERE meeting_id = ?', meeting);
    person('7', 'publisher');
    person('bob', 'subscriber');
  });
  const credential = `SELECT project_key, session_id, token FROM join_credential
                       WHERE meeting_id = ? AND participant_id = ?`;
  console.log('credential:', ...Object.values(await wait(credential, meeting, '7')));

  person('7', 'moderator'); // one statement is a transaction
  await wait(`${credential} AND role = 'moderator'`, meeting, '7');
  console.log('role: moderator');

  run("INSERT INTO block (meeting_id, participant_id, reason) VALUES (?, 'bob', 'asked to leave')", meeting);
  console.log('blocked:', one(credential, meeting, 'bob') ?? 'none');

  const { lastInsertRowid: id } = run(
    "INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', ?, 'node')", meeting);
  const { state } = await wait("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", id);
  console.log('request:', state);

  for (const row of all('SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq', seen))
    console.log('changed:', row.meeting_id, row.state, String(row.seq));

  run("UPDATE meeting SET status = 'cancelled' WHERE id = ?", meeting);
  console.log('cancelled:', one(credential, meeting, '7') ?? 'none');
}
main();

// A scheduling platform in Node, with node-sqlite3. usage: node node_sqlite3.js /var/lib/usher/usher.db
const sqlite3 = require('sqlite3');

const db = new sqlite3.Database(process.argv[2]);
db.configure('busyTimeout', 5000); // waits 5 s for locks
const meeting = 'node-2';
const startsAt = Math.floor(Date.now() / 1000) + 600; // whole Unix seconds, UTC

const all = (sql, ...values) => new Promise((resolve, reject) => {
  db.all(sql, values, (error, rows) => (error ? reject(error) : resolve(rows)));
});
const one = async (sql, ...values) => (await all(sql, ...values))[0];
// This driver binds every number as a float; SQLite makes whole ones integers again in an INTEGER column. An id that is
// bound as a number is refused: ids are strings.
// IMMEDIATE: a transaction that reads first and writes then would fail beside other writers.
async function write(work) {
  await all('BEGIN IMMEDIATE');
  try {
    await work();
    await all('COMMIT');
  } catch (error) {
    await all('ROLLBACK');
    throw error;
  }
}
const person = (name, role) => all(`INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
  ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role`, meeting, name, role);
async function wait(sql, ...values) {
  for (let tries = 0; tries < 1200; ++tries) {
    const row = await one(sql, ...values);
    if (row) return row;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing came: ${JSON.stringify(await one('SELECT * FROM usher_status'))}`);
}

async function main() {
  try {
    await all('INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)', meeting, startsAt * 1000, startsAt);
  } catch (error) {
    console.log(`refused: ${error.message}`);
  }

  // seq takes 64 bits, more than a number holds exactly: read it as text.
  const { seen } = await one('SELECT CAST(COALESCE(max(seq), 0) AS TEXT) AS seen FROM meeting_status');
  await write(async () => {
    await all(`INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
      starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'`,
    meeting, 'Stand-up', startsAt, startsAt + 900);
    await all('DELETE FROM block WHERE meeting_id = ?', meeting);
    await person('7', 'publisher');
    await person('bob', 'subscriber');
  });
  const credential = `SELECT project_key, session_id, token FROM join_credential
                       WHERE meeting_id = ? AND participant_id = ?`;
  console.log('credential:', ...Object.values(await wait(credential, meeting, '7')));

  await person('7', 'moderator'); // one statement is a transaction
  await wait(`${credential} AND role = 'moderator'`, meeting, '7');
  console.log('role: moderator');

  await all("INSERT INTO block (meeting_id, participant_id, reason) VALUES (?, 'bob', 'asked to leave')", meeting);
  console.log('blocked:', (await one(credential, meeting, 'bob')) ?? 'none');

  await all("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', ?, 'node')", meeting);
  const { id } = await one('SELECT last_insert_rowid() AS id');
  const { state } = await wait("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", id);
  console.log('request:', state);

  const rows = await all(`SELECT meeting_id, state, CAST(seq AS TEXT) AS seq FROM meeting_status
                           WHERE seq > CAST(? AS INTEGER) ORDER BY meeting_status.seq`, seen);
  for (const row of rows) console.log('changed:', row.meeting_id, row.state, row.seq);

  await all("UPDATE meeting SET status = 'cancelled' WHERE id = ?", meeting);
  console.log('cancelled:', (await one(credential, meeting, '7')) ?? 'none');
}
main();

// SPDX-License-Identifier: Apache-2.0
// usage: node provision.mjs DATABASE SECRET_FILE t1|jwt
// What a platform would write without usher: reads who meets whom, has the vendor's SDK make the tokens, and stores
// them, 10,000 in a transaction, prepared and durable. The sessions are there already. Prints seconds and tokens.
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import OpenTok from 'opentok';

const [path, secretFile, format] = process.argv.slice(2);
const transactionRows = 10_000;

const start = process.hrtime.bigint();
const reader = new Database(path, { readonly: true });
const writer = new Database(path);
writer.pragma('journal_mode = WAL');
writer.pragma('synchronous = FULL');
writer.exec(`CREATE TABLE credential (meeting_id TEXT, participant_id TEXT, token TEXT, expires_at INTEGER,
                                      PRIMARY KEY (meeting_id, participant_id)) WITHOUT ROWID`);
const apiKey = reader.prepare('SELECT project_key FROM session LIMIT 1').pluck().get();
const sdk = new OpenTok(apiKey, readFileSync(secretFile, 'utf8'));
const participants = reader.prepare(`
    SELECT m.id AS meeting, m.ends_at AS endsAt, s.session_id AS session, p.participant_id AS participant, p.role,
           p.connection_data AS data
      FROM meeting m
      JOIN agenda a ON a.meeting_id = m.id
      JOIN session s ON s.session_no = a.session_no
      JOIN participant p ON p.meeting_id = m.id
     ORDER BY m.id, p.participant_id`);
const insert = writer.prepare('INSERT INTO credential VALUES (?, ?, ?, ?)');

let tokens = 0;
for (const { meeting, endsAt, session, participant, role, data } of participants.iterate()) {
    if (tokens % transactionRows === 0) writer.exec(tokens === 0 ? 'BEGIN IMMEDIATE' : 'COMMIT; BEGIN IMMEDIATE');
    const token = sdk.generateToken(session, { role, data, expireTime: endsAt + 900 }, format === 't1');
    insert.run(meeting, participant, token, endsAt + 900);
    ++tokens;
}
writer.exec('COMMIT');
reader.close();
writer.pragma('wal_checkpoint(TRUNCATE)');
writer.close();
console.log(`seconds ${Number(process.hrtime.bigint() - start) / 1e9}\ntokens ${tokens}`);
